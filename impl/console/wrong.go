package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"parley/gen/client"
)

// wrong is one value that the API refused.
type wrong struct {
	member string // of the API's request
	line   int    // from 1, of an item of a list; 0 for the whole value
	reason string // in the API's words, a verb first
	said   string // instead, where the page itself judges: a sentence
}

// refusedMember is how the surfaces that have no list of fields name one.
var refusedMember = regexp.MustCompile(`^Invalid (?:body|query|path|header) (\S+): (.+)$`)

// wrongs are the values that a refusal names; none when it is about the whole.
func wrongs(err error) []wrong {
	refused, ok := errors.AsType[*client.Error](err)
	if !ok {
		return nil
	}
	var all []wrong
	var platform struct {
		Errors []struct{ Path, Reason string }
	}
	if json.Unmarshal(refused.Body, &platform) == nil {
		for _, e := range platform.Errors {
			all = append(all, wrongAt(e.Path, e.Reason))
		}
	}
	var chats struct {
		Detail []struct {
			Loc []string
			Msg string
		}
	}
	if json.Unmarshal(refused.Body, &chats) == nil {
		for _, d := range chats.Detail {
			if len(d.Loc) > 1 {
				all = append(all, wrongAt(strings.Join(d.Loc[1:], "/"), d.Msg))
			}
		}
	}
	if m := refusedMember.FindStringSubmatch(sentence(refused)); m != nil && len(all) == 0 {
		all = append(all, wrongAt(m[1], m[2]))
	}
	return all
}

// at is a sentence about a field of the form that was sent, which the page that is shown marks.
func (v *visit) at(field, sentence string) string {
	v.wrong = append(v.wrong, wrong{member: field, said: sentence})
	return sentence
}

func wrongAt(path, reason string) wrong {
	member, inside, _ := strings.Cut(strings.Trim(path, "/"), "/")
	w := wrong{member: member, reason: reason}
	if n, err := strconv.Atoi(inside); err == nil {
		w.line = n + 1
	}
	return w
}

// plainly is the API's words for a broken rule as a person would say it. What a
// pattern means is what the field's example shows.
func (w wrong) plainly(example string) string {
	reason := w.reason
	switch {
	case w.said != "":
		return w.said
	case missing(reason):
		reason = "is needed"
	case strings.HasPrefix(reason, "must match ") && example != "":
		reason = "must look like " + example
	case strings.HasPrefix(reason, "must match "):
		reason = "has characters that may not be in it"
	case strings.Contains(w.member, "micros") && strings.HasPrefix(reason, "must be at least"):
		reason = "is too little"
	case strings.Contains(w.member, "micros") && strings.HasPrefix(reason, "must be at most"):
		reason = "is too much"
	case strings.HasPrefix(reason, "breaks the rule ") || strings.HasPrefix(reason, "has a member"):
		reason = "is not right"
	}
	for api, plain := range map[string]string{
		"must be a valid uri": "must be a whole address such as https://example.com", "must be a valid email": "must be an address such as name@example.com",
		"must be a valid date": "must be a date", "must be a valid date-time": "must be a date and a time",
		"must be of type integer": "must be a whole number", "must be of type number": "must be a number",
	} {
		if reason == api {
			reason = plain
		}
	}
	if w.line > 0 {
		return fmt.Sprintf("Line %d %s.", w.line, reason)
	}
	return "This " + reason + "."
}

// marked is a page with the words for each wrong value beside the field that it
// was typed into, in the form that was sent, with all that was typed. The
// page's alert names the fields as their labels do.
func (v *visit) marked(page []byte) []byte {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return page
	}
	sent := v.sent()
	form := formOf(doc, strings.ToLower(v.Method), v.URL.Path, sent)
	if form != nil {
		refill(form, sent)
	}
	var told []string
	for i, w := range foremost(v.wrong) {
		field := fieldOf(form, w.member)
		if field == nil && w.said != "" {
			told = append(told, w.said)
			continue
		}
		if field == nil {
			told = append(told, fmt.Sprintf("%s: %s", strings.ReplaceAll(w.member, "_", " "), w.plainly("")))
			continue
		}
		words := w.plainly(exampleOf(field))
		if w.said == "" {
			told = append(told, labelOf(field)+": "+words)
		} else {
			told = append(told, w.said)
		}
		point(field, fmt.Sprintf("wrong-%d", i), words, i == 0)
	}
	if alert := find(doc, func(n *html.Node) bool { return attribute(n, "role") == "alert" }); alert != nil {
		alert.FirstChild = nil
		alert.LastChild = nil
		alert.AppendChild(&html.Node{Type: html.TextNode, Data: strings.Join(slices.Compact(told), " ")})
	}
	var out bytes.Buffer
	if html.Render(&out, doc) != nil {
		return page
	}
	return out.Bytes()
}

// foremost is what is most wrong with each value: that it is missing, else its form, else the first rule.
func foremost(all []wrong) []wrong {
	rank := func(w wrong) int {
		switch {
		case w.said != "" || missing(w.reason):
			return 0
		case strings.HasPrefix(w.reason, "must match "):
			return 1
		}
		return 2
	}
	var out []wrong
	for _, w := range all {
		at := slices.IndexFunc(out, func(o wrong) bool { return o.member == w.member })
		switch {
		case at < 0:
			out = append(out, w)
		case out[at].line == w.line && rank(w) < rank(out[at]):
			out[at] = w
		}
	}
	return out
}

// missing tells whether a reason means that there is no value.
func missing(reason string) bool {
	return slices.Contains([]string{"is required", "must not be null", "must have at least 1 character", "must have at least 1 item"}, reason)
}

// exampleOf is a value that a field takes; "" where its page shows none.
func exampleOf(field *html.Node) string {
	if shown := attribute(field, "placeholder"); shown != "" && !strings.Contains(shown, " ") {
		return shown
	}
	return map[string]string{"email": "name@example.com", "url": "https://example.com"}[attribute(field, "type")]
}

// sent is what the form was filled in with.
func (v *visit) sent() url.Values {
	if v.Method != http.MethodGet {
		return v.PostForm
	}
	sent := v.URL.Query()
	sent.Del("cursor")
	sent.Del("done")
	return sent
}

// formOf is the form that was sent: the one for the path that has all fields
// with, where they are not typed, the same values; nil when the page has none.
func formOf(doc *html.Node, method, path string, sent url.Values) *html.Node {
	return find(doc, func(form *html.Node) bool {
		action := attribute(form, "action")
		if form.Data != "form" || attribute(form, "method") != method || action != "" && action != path {
			return false
		}
		for name, values := range sent {
			here := find(form, func(n *html.Node) bool {
				fixed := n.Data == "button" || attribute(n, "type") == "hidden"
				return attribute(n, "name") == name && (!fixed || name == "once" || attribute(n, "value") == values[0])
			})
			if here == nil {
				return false
			}
		}
		return true
	})
}

// fieldOf is the field that a member was typed into: the one of its name, or
// the one whose name has most of its words, as "requests" of "requests_per_minute".
func fieldOf(form *html.Node, member string) *html.Node {
	var best *html.Node
	words := "_" + member + "_"
	each(form, func(n *html.Node) {
		name := attribute(n, "name")
		if typed(n) && strings.Contains(words, "_"+name+"_") && (best == nil || len(name) > len(attribute(best, "name"))) {
			best = n
		}
	})
	return best
}

// typed tells whether a node is a field that a person fills in.
func typed(n *html.Node) bool {
	if n.Type != html.ElementNode || attribute(n, "name") == "" || attribute(n, "type") == "hidden" {
		return false
	}
	return n.Data == "input" || n.Data == "textarea" || n.Data == "select"
}

// refill gives the fields of a form what was typed into them; passwords and files are given anew.
func refill(form *html.Node, sent url.Values) {
	each(form, func(n *html.Node) {
		if !typed(n) {
			return
		}
		values := sent[attribute(n, "name")]
		has := func(value string) bool {
			for _, v := range values {
				if v == value {
					return true
				}
			}
			return false
		}
		switch kind := attribute(n, "type"); {
		case kind == "password" || kind == "file":
		case kind == "checkbox" || kind == "radio":
			set(n, "checked", has(attribute(n, "value")))
		case len(values) == 0:
		case n.Data == "select":
			each(n, func(option *html.Node) {
				if option.Data == "option" {
					set(option, "selected", has(optionValue(option)))
				}
			})
		case n.Data == "textarea":
			n.FirstChild, n.LastChild = nil, nil
			n.AppendChild(&html.Node{Type: html.TextNode, Data: values[0]})
		default:
			put(n, "value", values[0])
		}
	})
}
