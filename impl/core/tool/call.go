package tool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/fault"
)

const (
	// ResultBytesMax is how much of a result a model gets.
	ResultBytesMax = 32 << 10
	// callTime bounds one call.
	callTime = 30 * time.Second
)

// Result is what a call came to. A call that failed is no error: the model is told what it came to.
type Result struct {
	Failed bool
	Text   string
}

// Offer is a function that a model may call.
type Offer struct {
	Tool     db.Tool
	Function Function
}

// Offers are the functions of some tools. A tool that the account does not have is a NotFound fault.
func (s *Service) Offers(ctx context.Context, accountID string, toolIDs []string) ([]Offer, error) {
	if len(toolIDs) == 0 {
		return nil, nil
	}
	found, err := s.DB.ToolsOf(ctx, accountID, toolIDs)
	if err != nil {
		return nil, err
	}
	byID := map[string]db.Tool{}
	for _, t := range found {
		byID[t.ID] = t
	}
	var offers []Offer
	taken := map[string]bool{}
	for _, toolID := range toolIDs {
		t, ok := byID[toolID]
		if !ok {
			return nil, fault.New(fault.NotFound, "A tool of the agent has been deleted.")
		}
		_, functions, err := read(t)
		if err != nil {
			return nil, err
		}
		for _, f := range functions {
			if !taken[f.Name] {
				offers = append(offers, Offer{t, f})
			}
			taken[f.Name] = true
		}
	}
	return offers, nil
}

// Try calls a function of a tool, the only one when it is not named. A function
// that the tool does not have is an Invalid fault.
func (s *Service) Try(ctx context.Context, accountID, toolID, function string, arguments []byte, key string) (Result, error) {
	t, err := s.Get(ctx, accountID, toolID)
	if err != nil {
		return Result{}, err
	}
	_, functions, err := read(t)
	if err != nil {
		return Result{}, err
	}
	for _, f := range functions {
		if f.Name == function || function == "" && len(functions) == 1 {
			return s.Call(ctx, Offer{t, f}, string(arguments), key)
		}
	}
	return Result{}, refused("function", "name one of the tool's functions")
}

// Call calls a function. Key goes along as Idempotency-Key: it is the same when the call is repeated
// because nobody knows whether it was made. An error says nothing of the call, but that the server could not make it now.
func (s *Service) Call(ctx context.Context, o Offer, arguments, key string) (Result, error) {
	given, problem := s.checked(o.Function, arguments)
	if problem != "" {
		return Result{true, problem}, nil
	}
	target, _, err := read(o.Tool)
	if err != nil {
		return Result{}, err
	}
	header, err := s.headers(o.Tool)
	if err != nil {
		return Result{}, err
	}
	header["Idempotency-Key"] = key
	limited, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var r Result
	if o.Tool.Kind == KindMCP {
		r.Text, r.Failed, err = s.Use(limited, target.URL, header, o.Function.Remote, given)
	} else {
		r, err = s.send(limited, target, header, given)
	}
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	if err != nil {
		r = Result{true, "The tool could not be called: " + s.Explain(err)}
	}
	if all := r.Text; len(all) > ResultBytesMax {
		r.Text = cut(all, ResultBytesMax) + "\n[The rest is left out.]"
	}
	r.Text = cut(r.Text, 2*ResultBytesMax)
	return r, nil
}

// checked reads arguments, or says what is wrong with them.
func (s *Service) checked(f Function, arguments string) (map[string]any, string) {
	if strings.TrimSpace(arguments) == "" {
		arguments = "{}"
	}
	var given map[string]any
	if err := json.Unmarshal([]byte(arguments), &given); err != nil || given == nil {
		return nil, "The arguments are not a JSON object."
	}
	schema, err := resolved(f.Parameters)
	if err != nil {
		return nil, "The schema of the arguments cannot be read."
	}
	if err := schema.Validate(given); err != nil {
		return nil, "The arguments do not fit the schema: " + cut(err.Error(), 500)
	}
	return given, ""
}

func (s *Service) send(ctx context.Context, t Target, header map[string]string, given map[string]any) (Result, error) {
	r, err := request(t, header, given)
	if err != nil {
		return Result{}, err
	}
	status, body, err := s.Send(ctx, r)
	switch {
	case err != nil:
		return Result{}, err
	case status >= 200 && status < 300 && body == "":
		return Result{Text: fmt.Sprintf("HTTP %d without a body", status)}, nil
	case status >= 200 && status < 300:
		return Result{Text: body}, nil
	}
	return Result{Failed: true, Text: strings.TrimSpace(fmt.Sprintf("HTTP %d\n%s", status, body))}, nil
}

// request puts arguments where they belong.
func request(t Target, header map[string]string, given map[string]any) (Request, error) {
	r := Request{Method: t.Method, Header: header}
	query, body, address := url.Values{}, map[string]any{}, t.URL
	var whole any
	for name, value := range given {
		place := t.In[name]
		switch {
		case strings.Contains(t.URL, "{"+name+"}"):
			place = InPath
		case place == "" && (t.Method == "GET" || t.Method == "DELETE"):
			place = InQuery
		case place == "":
			place = InBody
		}
		switch place {
		case InPath:
			address = strings.ReplaceAll(address, "{"+name+"}", url.PathEscape(written(value)))
		case InQuery:
			spread(query, name, value)
		case InHeader:
			if _, fixed := header[name]; !fixed {
				r.Header[name] = strings.NewReplacer("\r", " ", "\n", " ", "\x00", "").Replace(written(value))
			}
		case InWhole:
			whole = value
		default:
			body[name] = value
		}
	}
	if named.MatchString(address) {
		return Request{}, errors.New("an argument of the path is missing")
	}
	u, err := url.Parse(address)
	if err != nil {
		return Request{}, fmt.Errorf("parse address: %w", err)
	}
	if len(query) > 0 {
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+query.Encode(), "&")
	}
	r.URL = u.String()
	if whole == nil && (len(body) > 0 || t.Method == "POST" || t.Method == "PUT" || t.Method == "PATCH") {
		whole = body
	}
	if whole != nil {
		r.Body, err = json.Marshal(whole)
	}
	return r, err
}

// spread adds an argument to a query, lists an item at a time.
func spread(query url.Values, name string, value any) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, one := range list {
		query.Add(name, written(one))
	}
}

// written is a value as it stands in addresses and headers.
func written(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return ""
	}
	return string(bytes.Trim(raw, `"`))
}
