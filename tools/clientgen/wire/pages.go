package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Paging tells how a list goes on after a page.
type Paging struct {
	Items []string // members that lead to the page's items; none when the answer is the list itself
	Page  string   // parameter that numbers the pages, from 1
	After string   // parameter that takes the id of the last item
	More  []string // members that lead to what is true, or not null, when there is another page; none when a Link header tells
}

// errNoProgress says that a server gives the same page again as the next one.
var errNoProgress = errors.New("the list does not go on: the next page is the same")

// Pages yields the items of a list, page by page as they are needed. It ends after the last item or with an error, which comes with a zero T.
func Pages[T any](ctx context.Context, c *Caller, call *Call, options []Option, paging Paging) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		page := call.with(options)
		for page != nil {
			answer, err := c.read(ctx, page.with(nil))
			var items []T
			if err == nil {
				items, page, err = turn[T](page, answer, paging)
			}
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// turn takes the items off a page and finds the call of the next one, nil after the last.
func turn[T any](call *Call, a answer, paging Paging) ([]T, *Call, error) {
	raw, err := member(a.body, paging.Items)
	if err != nil {
		return nil, nil, err
	}
	var items []T
	if err := json.Unmarshal(raw, &items); err != nil {
		return nil, nil, fmt.Errorf("decode page: %w", err)
	}
	query, err := paging.next(call.query, a, raw)
	if err != nil || query == nil {
		return items, nil, err
	}
	if query.Encode() == call.query.Encode() {
		return nil, nil, errNoProgress
	}
	next := call.with(nil)
	next.query = query
	return items, next, nil
}

// next is the query of the page after an answer, nil when there is none.
func (p Paging) next(query url.Values, a answer, items json.RawMessage) (url.Values, error) {
	if p.More == nil {
		return linked(a.header)
	}
	more, err := member(a.body, p.More)
	if err != nil || string(more) == "false" || string(more) == "null" {
		return nil, err
	}
	var all []struct {
		ID string `json:"id"`
	}
	if p.After != "" && json.Unmarshal(items, &all) != nil || string(items) == "[]" {
		return nil, nil // nothing to go on from
	}
	next := url.Values{}
	for name, values := range query {
		next[name] = values
	}
	if p.After != "" {
		next.Set(p.After, all[len(all)-1].ID)
		return next, nil
	}
	number, err := strconv.Atoi(query.Get(p.Page))
	if err != nil {
		number = 1
	}
	next.Set(p.Page, strconv.Itoa(number+1))
	return next, nil
}

// linked is the query of the address that a Link header calls next. Only the query is taken: the credentials go nowhere else.
func linked(header http.Header) (url.Values, error) {
	for _, line := range header.Values("Link") {
		for _, link := range strings.Split(line, ",") {
			address, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(link), "<"), ">")
			if !ok || !strings.Contains(strings.ReplaceAll(rest, " ", ""), `;rel="next"`) {
				continue
			}
			at, err := url.Parse(address)
			if err != nil {
				return nil, fmt.Errorf("read link to the next page: %w", err)
			}
			return at.Query(), nil
		}
	}
	return nil, nil
}

// member follows members down into an object.
func member(raw json.RawMessage, path []string) (json.RawMessage, error) {
	for _, name := range path {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(raw, &object); err != nil {
			return nil, fmt.Errorf("decode page: member %s: %w", name, err)
		}
		found, ok := object[name]
		if !ok {
			return nil, fmt.Errorf("decode page: it has no member %s", strings.Join(path, "."))
		}
		raw = found
	}
	return raw, nil
}
