package realtime

import (
	"context"
	"slices"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

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
	turnID := a.stop("client_cancelled")
	accountID := s.caller.AccountID
	s.mu.Unlock()
	if turnID == "" {
		return nil // it will be as soon as it has begun
	}
	_, err := s.service.Turns.Cancel(ctx, accountID, turnID)
	return err
}

// stop notes that an answer is to end, and returns its turn, which is to be cancelled.
func (a *answer) stop(reason string) (turnID string) {
	if !a.cancelled {
		a.cancelled, a.reason = true, reason
	}
	a.hush()
	return a.turnID
}

// interrupt ends an answer because somebody speaks.
func (s *Session) interrupt(ctx context.Context, a *answer) {
	turnID, accountID := a.stop("turn_detected"), s.caller.AccountID
	if turnID == "" {
		return
	}
	ctx = context.WithoutCancel(ctx)
	s.answers.Go(func() { _, _ = s.service.Turns.Cancel(ctx, accountID, turnID) }) // the answer's own end tells
}

// storePatience bounds how long storing an answer is tried while the database is away.
const (
	storePatience = time.Minute
	storeRetry    = 250 * time.Millisecond
)

// end tells the end of an answer, after its items have been kept. The session
// is free for other commands while they are.
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
			a.shown.Status, a.shown.Reason, a.shown.Failure = Failed, "", fault.From(err)
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
	if s.wanted && s.running == nil && !s.closing {
		s.wanted = false
		_ = s.respond(ctx, Ask{}) // nothing is in its way
	}
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
		if a.reason != "" {
			a.shown.Reason = a.reason
		}
	case failure != nil:
		a.shown.Status, a.shown.Failure = Failed, failure
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

// keep stores what the answer wrote, waiting out an outage: it has been paid. It
// lets go of s.mu, so that the session can be used, and the waiting be cancelled.
func (a *answer) keep(ctx context.Context) error {
	s := a.session
	var rows []entry
	spoken := db.Spoken{InputTokens: a.shown.InputTokens, OutputTokens: a.shown.OutputTokens + a.shown.SpokenTokens}
	for _, o := range a.outputs {
		rows = append(rows, entry{Item: o.item, rank: s.entries[s.index(o.item.ID)].rank})
		if text := o.item.text(); text != "" {
			spoken.Preview = turn.Preview(text)
		}
	}
	k := s.keeping(rows, spoken)
	a.hush()
	patience, giveUp := context.WithTimeout(ctx, storePatience)
	defer giveUp()
	a.hush = giveUp
	s.mu.Unlock()
	err := k.storePatiently(patience)
	s.mu.Lock()
	for _, row := range rows {
		at := s.index(row.ID)
		s.bytes += row.size() - s.entries[at].size()
		s.entries[at].Item = row.Item
	}
	if err != nil {
		return err
	}
	return s.kept(ctx, k)
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
