package realtime

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/knowledge"
	"parley/impl/core/model"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

// Ask is a request for an answer. Nil members take the session's settings.
type Ask struct {
	OutOfBand       bool    // the answer writes no conversation
	Input           []Input // what it answers; nil is the conversation
	Instructions    *string
	Tools           *[]Tool
	ToolChoice      json.RawMessage
	Temperature     *float64
	MaxOutputTokens *int // 0 leaves it to the model
	Metadata        json.RawMessage
}

// Input is an item of the request's own, or refers to one of the conversation.
type Input struct {
	Item      *Item
	Reference string
}

// answer is a response in the making.
type answer struct {
	session   *Session
	asked     Settings // the session's, with what was asked for
	history   []provider.Message
	shown     Response
	outputs   []*output
	turnID    string // once it has begun
	cancelled bool
	callPiece map[int]*output // by the index of a call
}

var (
	errBusy = fault.New(fault.Conflict, "Another answer is writing the conversation; wait for its end or cancel it.").
		Coded("conversation_already_has_active_response")
	errClosing = fault.New(fault.Unavailable, "The server is shutting down; connect again with the session's id.")
	errCrowded = fault.New(fault.Conflict, "Too many answers are running beside the conversation; wait for one to end.").Coded("too_many_responses")
	errNothing = fault.New(fault.Conflict, "There is no running answer to cancel.").Coded("response_cancel_not_active")
)

// Respond begins an answer. Its failures are told by its own last event.
func (s *Session) Respond(ctx context.Context, ask Ask) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closing:
		return errClosing
	case !ask.OutOfBand && s.running != nil:
		return errBusy
	case ask.OutOfBand && len(s.beside) >= besideMax:
		return errCrowded
	}
	items, err := s.context(ask)
	if err != nil {
		return err
	}
	a := &answer{session: s, asked: s.settings.with(ask), history: messages(items), callPiece: map[int]*output{}}
	a.shown = Response{
		ID: id.New("resp_"), SessionID: s.ID, Status: InProgress, Metadata: ask.Metadata, OutOfBand: ask.OutOfBand,
		MaxOutputTokens: a.asked.MaxOutputTokens, Temperature: a.asked.Temperature,
	}
	if ask.OutOfBand {
		s.beside[a.shown.ID] = a
	} else {
		s.running = a
	}
	s.send(Event{Type: ResponseCreated, Response: a.view()})
	s.answers.Go(func() { a.run(context.WithoutCancel(ctx)) })
	return nil
}

// with is the settings for one answer.
func (s Settings) with(ask Ask) Settings {
	if ask.Instructions != nil {
		s.Instructions = *ask.Instructions
	}
	if ask.Tools != nil {
		s.Tools = *ask.Tools
	}
	if ask.ToolChoice != nil {
		s.ToolChoice = ask.ToolChoice
	}
	if ask.Temperature != nil {
		s.Temperature = ask.Temperature
	}
	if ask.MaxOutputTokens != nil {
		s.MaxOutputTokens = *ask.MaxOutputTokens
	}
	return s
}

// context returns the items that an answer is to.
func (s *Session) context(ask Ask) ([]Item, error) {
	if ask.Input == nil {
		items := make([]Item, len(s.entries))
		for i, e := range s.entries {
			items[i] = e.Item
		}
		return items, nil
	}
	items := make([]Item, len(ask.Input))
	for i, in := range ask.Input {
		if in.Item != nil {
			items[i] = *in.Item
			continue
		}
		at := s.index(in.Reference)
		if at < 0 {
			return nil, about(fault.New(fault.NotFound, "There is no item with this id to refer to.").Coded("item_not_found"), "response.input")
		}
		items[i] = s.entries[at].Item
	}
	return items, nil
}

// Cancel ends a running answer: the one that writes the conversation for "".
func (s *Session) Cancel(ctx context.Context, responseID string) error {
	s.mu.Lock()
	a := s.running
	if responseID != "" && (a == nil || a.shown.ID != responseID) {
		a = s.beside[responseID]
	}
	if a == nil {
		s.mu.Unlock()
		return errNothing
	}
	a.cancelled = true
	turnID, accountID := a.turnID, s.caller.AccountID
	s.mu.Unlock()
	if turnID == "" {
		return nil // it will be as soon as it has begun
	}
	_, err := s.service.Turns.Cancel(ctx, accountID, turnID)
	return err
}

// Busy tells whether an answer is running.
func (s *Session) Busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running != nil || len(s.beside) > 0
}

// run makes the answer and tells how it ended.
func (a *answer) run(ctx context.Context) {
	live, err := a.begin(ctx)
	if err != nil {
		a.end(ctx, turn.Event{Kind: turn.Failed}, fault.From(err))
		return
	}
	for e := range live.Follow(ctx, 0) {
		if e.Terminal() {
			a.end(ctx, e, live.Answer().Failure)
			return
		}
		a.take(e)
	}
	a.end(ctx, turn.Event{Kind: turn.Failed}, fault.New(fault.Unavailable, "Another server has taken over the answer."))
}

// begin passes the gates that every answer passes, and starts the turn.
func (a *answer) begin(ctx context.Context) (*turn.Live, error) {
	s := a.session
	caller, err := s.again(ctx)
	if err != nil {
		return nil, err
	}
	caller.EndUser, caller.SessionID = s.caller.EndUser, s.caller.SessionID
	d, err := s.service.Limits.Admit(ctx, caller)
	if err != nil {
		return nil, err
	}
	s.tell(Event{Type: RateLimits, Limit: Limit{Limit: d.Limit, Remaining: d.Remaining, Reset: d.Reset.Sub(s.service.Now())}})
	if !d.Admitted {
		return nil, fault.New(fault.RateLimited, "Rate limit exceeded: the plan %s admits %d requests per minute.", caller.Plan, d.Limit)
	}
	in := turn.Input{
		Caller: caller, Surface: Surface, SystemPrompt: a.asked.Instructions, History: a.history, Unstored: true, Awaited: true,
		Sampling: turn.Sampling{MaxOutputTokens: a.asked.MaxOutputTokens, Temperature: a.asked.Temperature, Extra: extra(a.asked.Tools, a.asked.ToolChoice)},
	}
	if err := a.resolve(ctx, &in); err != nil {
		return nil, err
	}
	live, err := s.service.Turns.Start(ctx, in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	a.turnID = live.ID
	cancelled := a.cancelled
	s.mu.Unlock()
	if cancelled {
		_, err = s.service.Turns.Cancel(ctx, caller.AccountID, live.ID)
	}
	return live, err
}

// resolve says who answers, and from what: an agent may have changed since the
// connection began, and its knowledge is searched for what was said last.
func (a *answer) resolve(ctx context.Context, in *turn.Input) error {
	s, accountID := a.session.service, in.Caller.AccountID
	who, err := s.Agents.Named(ctx, accountID, a.session.answering, model.KindLLM)
	if err != nil {
		return err
	}
	agentID := ""
	if in.Agent = who.Agent; who.Agent != nil {
		agentID = who.Agent.ID
	} else {
		in.Model = who.Model
	}
	last := len(in.History) - 1
	for last >= 0 && in.History[last].Role != provider.RoleUser {
		last--
	}
	if last < 0 {
		return nil
	}
	scope, err := s.Knowledge.ScopeOf(ctx, accountID, agentID, in.Caller.AppID)
	if err != nil || len(scope.Collections) == 0 {
		return err
	}
	found, err := s.Knowledge.Search(ctx, scope, knowledge.Query{Question: in.History[last].Content, History: in.History[:last]})
	if err == nil && len(found) > 0 {
		in.Knowledge = &turn.Knowledge{Passages: knowledge.Offered(found)}
	}
	return err
}

// tell sends an event outside of a command.
func (s *Session) tell(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(e)
}

// storePatience bounds how long storing an answer is tried while the database is away.
const (
	storePatience = time.Minute
	storeRetry    = 250 * time.Millisecond
)

// end tells the end of an answer, after its items have been kept.
func (a *answer) end(ctx context.Context, e turn.Event, failure *fault.Error) {
	s := a.session
	s.mu.Lock()
	defer s.mu.Unlock()
	a.conclude(e, failure)
	status := Completed
	if a.shown.Status != Completed {
		status = Incomplete
	}
	for _, o := range a.outputs {
		o.finish(status)
	}
	if !a.shown.OutOfBand {
		if err := a.keep(ctx); err != nil {
			a.shown.Status, a.shown.Failure = Failed, fault.From(err)
		}
	}
	for _, o := range a.outputs {
		o.close(a)
	}
	delete(s.beside, a.shown.ID)
	if s.running == a {
		s.running = nil
	}
	s.send(Event{Type: ResponseDone, Response: a.view()})
}

// conclude reads what a turn's end means for its response.
func (a *answer) conclude(e turn.Event, failure *fault.Error) {
	a.shown.Ended = true
	if e.Usage != nil {
		a.shown.InputTokens, a.shown.OutputTokens = e.Usage.InputTokens, e.Usage.OutputTokens
	}
	switch {
	case e.Kind == turn.Cancelled || (failure != nil && failure.Kind == fault.Canceled):
		a.shown.Status, a.shown.Reason = Cancelled, "client_cancelled"
	case e.Kind == turn.Completed && e.Finish == provider.FinishLength:
		a.shown.Status, a.shown.Reason = Incomplete, "max_output_tokens"
	case e.Kind == turn.Completed && e.Finish == provider.FinishContentFilter:
		a.shown.Status, a.shown.Reason = Incomplete, "content_filter"
	case e.Kind == turn.Completed:
		a.shown.Status = Completed
	default:
		if failure == nil {
			failure = fault.New(fault.Unavailable, "The answer could not be made.")
		}
		a.shown.Status, a.shown.Failure = Failed, failure
	}
}

// keep stores what the answer wrote, waiting out an outage: it has been paid.
func (a *answer) keep(ctx context.Context) error {
	s := a.session
	var rows []entry
	spoken := db.Spoken{InputTokens: a.shown.InputTokens, OutputTokens: a.shown.OutputTokens}
	for _, o := range a.outputs {
		at := s.index(o.item.ID)
		s.bytes += o.item.size() - s.entries[at].size()
		s.entries[at].Item = o.item
		rows = append(rows, s.entries[at])
		if text := o.item.text(); text != "" {
			spoken.Preview = turn.Preview(text)
		}
	}
	deadline := time.Now().Add(storePatience)
	for {
		err := s.keep(ctx, rows, spoken)
		if !errors.Is(err, db.ErrUnavailable) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(storeRetry)
	}
}

// view is the response as it stands, for an event.
func (a *answer) view() *Response {
	shown := a.shown
	for _, o := range a.outputs {
		shown.Output = append(shown.Output, o.item)
	}
	shown.Metadata = slices.Clone(shown.Metadata)
	return &shown
}
