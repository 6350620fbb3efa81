package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"parley/impl/core/tokens"
)

var (
	errCut     = errors.New("answer ended before it was finished")
	errNoText  = errors.New("answer holds no choice")
	errBadJSON = errors.New("answer is no JSON object of a chat completion")
)

// logprobsShare bounds logprobs: twenty alternatives for each token.
const logprobsShare = 100

// emitError marks an error of the caller's emit among those of the upstream.
type emitError struct{ err error }

func (e *emitError) Error() string { return e.err.Error() }
func (e *emitError) Unwrap() error { return e.err }

// answer collects one answer while it is passed on.
type answer struct {
	req      Request
	emit     func(Delta) error
	bytesMax int

	text, thought     strings.Builder
	textIn, thoughtIn cleaner
	calling           calling
	arguments         strings.Builder // of calls, for counting
	logprobsBytes     int
	begun             bool    // the upstream has begun to answer: no retry, and input is charged
	usage             *counts // as reported; nil when it was not
	finishReason      string
	model             string
}

// add takes in one event of a stream.
func (a *answer) add(c chunk) error {
	a.begun = true
	if c.usage != nil {
		a.usage = c.usage
	}
	a.named(c.model)
	if c.finishReason != "" {
		a.finishReason = c.finishReason
	}
	return a.push(Delta{Text: c.text, Thought: c.thought}, c.calls, c.choice)
}

// readPlain takes in an answer that came as one JSON object.
func (a *answer) readPlain(body []byte) error {
	c, err := readChunk("", body)
	if err != nil {
		return err
	}
	if c.choice == "" {
		return errNoText
	}
	if err := a.add(c); err != nil {
		return err
	}
	return a.finish(false)
}

func (a *answer) named(model string) {
	if a.model == "" && model != "" && len(model) <= modelNameBytesMax {
		a.model = clean(model)
	}
}

// push passes on a piece with its calls and the logprobs of its choice, where they were asked for.
func (a *answer) push(d Delta, calls, choice string) error {
	d.Text, d.Thought = a.textIn.next(d.Text), a.thoughtIn.next(d.Thought)
	if a.req.offersTools() {
		var err error
		if d.Calls, err = a.calling.next(calls); err != nil {
			return err
		}
	}
	if a.req.Extra["logprobs"] != nil {
		d.Logprobs = logprobs(choice)
	}
	return a.pass(d)
}

// logprobs returns those of a choice's text as a JSON array, "" without any.
func logprobs(choice string) string {
	content := gjson.Get(choice, "logprobs.content")
	if !content.IsArray() || content.Raw == "[]" || !utf8.ValidString(content.Raw) {
		return ""
	}
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(content.Raw)) != nil {
		return ""
	}
	return compact.String()
}

func (a *answer) pass(d Delta) error {
	if d == (Delta{}) {
		return nil
	}
	a.logprobsBytes += len(d.Logprobs)
	if a.text.Len()+a.thought.Len()+len(d.Text)+len(d.Thought)+a.calling.bytes > a.bytesMax || a.logprobsBytes > logprobsShare*a.bytesMax {
		return errAnswerTooLarge
	}
	a.arguments.WriteString(d.Calls)
	a.text.WriteString(d.Text)
	a.thought.WriteString(d.Thought)
	if err := a.emit(d); err != nil {
		return &emitError{fmt.Errorf("emit: %w", err)}
	}
	return nil
}

// finish ends a stream that closed without an error. One that was read to its
// end (ended), rather than to [DONE], must have said why it finished, or it was
// cut.
func (a *answer) finish(ended bool) error {
	if a.finishReason == "" && ended {
		return errCut
	}
	if err := a.pass(Delta{Text: a.textIn.end(), Thought: a.thoughtIn.end()}); err != nil {
		return err
	}
	if !a.calling.whole() {
		return errBadCall
	}
	a.finishReason = finishReason(a.finishReason)
	if a.finishReason == FinishToolCalls && len(a.calling.begun) == 0 {
		a.finishReason = FinishStop
	}
	return nil
}

func finishReason(reported string) string {
	switch reported {
	case FinishLength, FinishContentFilter, FinishToolCalls:
		return reported
	}
	return FinishStop
}

func (a *answer) result() Result {
	r := Result{FinishReason: a.finishReason, Model: a.model}
	if r.Model == "" {
		r.Model = a.req.Model
	}
	if !a.begun {
		return r
	}
	r.Cited = Citations(a.text.String(), len(a.req.Knowledge))
	r.Usage = a.measured()
	return r
}

// tokensPlausibleMax is far above any model's context.
const tokensPlausibleMax = 100_000_000

// measured takes the reported usage where it can be true and counts the rest.
func (a *answer) measured() Usage {
	var in, out int64
	if a.usage != nil {
		in, out = a.usage.input, a.usage.output
	}
	u := Usage{InputTokens: int(in), OutputTokens: int(out)}
	if in <= 0 || in > tokensPlausibleMax {
		u.InputTokens, u.Estimated = tokens.CountMessages(a.req.Model, a.req.Prompt())+ExtraTokens(a.req.Model, a.req.Extra), true
	}
	produced := a.text.Len()+a.thought.Len()+a.arguments.Len() > 0
	if out < 0 || out > tokensPlausibleMax || out == 0 && produced || a.usage == nil {
		u.OutputTokens = tokens.Count(a.req.Model, a.text.String()) + tokens.Count(a.req.Model, a.thought.String()) + tokens.Count(a.req.Model, a.arguments.String())
		u.Estimated = true
	}
	return u
}
