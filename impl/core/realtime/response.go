package realtime

import (
	"context"
	"encoding/json"

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
	Modalities      string // Text, Audio or Both; "" is the session's
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
	items     []Item   // what it is to; in words once all of waits are done
	waits     []*heard
	history   []provider.Message
	shown     Response
	ctx       context.Context //nolint:containedctx // of what goes on beside the turn, until it is cancelled
	hush      context.CancelFunc
	outputs   []*output
	turnID    string // once it has begun
	cancelled bool
	reason    string          // of the cancelling
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
	return s.respond(ctx, ask)
}

// respond needs s.mu.
func (s *Session) respond(ctx context.Context, ask Ask) error {
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
	asked := s.settings.with(ask)
	if err := asked.check(s.sound); err != nil {
		return err
	}
	a := &answer{session: s, asked: asked.resolved(s.sound), items: items, callPiece: map[int]*output{}}
	for _, item := range items {
		if h := s.hearing[item.ID]; h != nil {
			a.waits = append(a.waits, h)
		}
	}
	a.shown = Response{
		ID: id.New("resp_"), SessionID: s.ID, Status: InProgress, Metadata: ask.Metadata, OutOfBand: ask.OutOfBand,
		MaxOutputTokens: a.asked.MaxOutputTokens, Temperature: a.asked.Temperature,
		Spoken: a.asked.Modalities == Audio,
	}
	ctx = context.WithoutCancel(ctx)
	a.ctx, a.hush = context.WithCancel(ctx)
	if ask.OutOfBand {
		s.beside[a.shown.ID] = a
	} else {
		s.running = a
	}
	s.send(Event{Type: ResponseCreated, Response: a.view()})
	s.answers.Go(func() { a.run(ctx) })
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
	if ask.Modalities != "" {
		s.Modalities = ask.Modalities
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

// Busy tells whether an answer is running.
func (s *Session) Busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running != nil || len(s.beside) > 0
}

// run makes the answer and tells how it ended.
func (a *answer) run(ctx context.Context) {
	defer func() { a.hush() }() // keep gives it another meaning
	live, err := a.begin(ctx)
	if err != nil {
		a.end(ctx, turn.Event{Kind: turn.Failed}, fault.From(err))
		return
	}
	for e := range live.Follow(ctx, 0) {
		if e.Terminal() {
			a.end(ctx, e, a.heardOut(live.Answer().Failure))
			return
		}
		a.take(e)
	}
	a.end(ctx, turn.Event{Kind: turn.Failed}, a.heardOut(fault.New(fault.Unavailable, "Another server has taken over the answer.")))
}

var errCancelled = fault.New(fault.Canceled, "The answer was cancelled.")

// heardOut waits until what was written has been spoken, and returns what failed, if anything did.
func (a *answer) heardOut(failure *fault.Error) *fault.Error {
	if failure != nil {
		a.hush() // an answer that is not whole is not spoken to its end
	}
	err := a.spoken()
	a.session.mu.Lock()
	defer a.session.mu.Unlock()
	switch {
	case failure != nil || err == nil && a.ctx.Err() == nil:
		return failure
	case a.cancelled && a.shown.Spoken:
		return errCancelled
	case err == nil:
		return nil
	}
	return fault.From(err)
}

// listen waits until what the answer is to has been written down.
func (a *answer) listen() error {
	for _, h := range a.waits {
		select {
		case <-h.done:
		case <-a.ctx.Done():
			return errCancelled
		}
	}
	s := a.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, item := range a.items {
		if at := s.index(item.ID); at >= 0 {
			a.items[i] = s.entries[at].Item
		}
	}
	if n := len(a.items); n > 0 && s.unheard.failure != nil && a.items[n-1].ID == s.unheard.itemID {
		return s.unheard.failure
	}
	a.history = messages(a.items)
	return nil
}

// begin passes the gates that every answer passes, and starts the turn.
func (a *answer) begin(ctx context.Context) (*turn.Live, error) {
	s := a.session
	if err := a.listen(); err != nil {
		return nil, err
	}
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
