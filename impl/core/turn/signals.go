package turn

import (
	"context"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/id"
)

// Servers tell each other by notifications what would otherwise be found by
// looking: that a turn shall be cancelled, that somebody elsewhere follows it,
// that there is more of it to read. Each is a hint: when all of them are lost, readers
// still find everything in the tables, only later.
const (
	channel      = "parley_turns"
	signalCancel = "cancel"
	signalFollow = "follow"
	signalMore   = "more"
)

const (
	// gatherFor is how long hints are gathered into one notification.
	gatherFor = 10 * time.Millisecond
	// gatherMax keeps a notification under its 8000 bytes.
	gatherMax = 200
	// signalTimeout bounds sending a hint.
	signalTimeout = 2 * time.Second
	// heardTail is how often a reader looks that would hear of anything new.
	heardTail = time.Second
)

// Listen lets the engine hear what other servers tell, over a connection of its
// own to dsn, until Stop.
func (e *Engine) Listen(dsn string) {
	e.loops.Go(func() { db.Listen(e.running, dsn, channel, e.hear, e.lost) })
}

func (e *Engine) hear(payload string) {
	kind, rest, _ := strings.Cut(payload, " ")
	turnIDs := strings.Fields(rest)
	switch kind {
	case signalCancel:
		e.cancelTurns(turnIDs)
	case signalFollow:
		e.followTurns(turnIDs)
	case signalMore:
		e.wake(turnIDs...)
	}
}

// lost makes readers look for themselves.
func (e *Engine) lost(connected bool) {
	e.hearing.Store(connected)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, readers := range e.readers {
		wakeAll(readers)
	}
}

// tell sends a hint at once.
func (e *Engine) tell(ctx context.Context, kind string, turnIDs ...string) {
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	if err := e.db.Notify(ctx, channel, kind+" "+strings.Join(turnIDs, " ")); err != nil && ctx.Err() == nil {
		e.log.Warn("a hint to other servers was not sent", "kind", kind, "error", err)
	}
}

// more hints that there is more of a turn, with other such hints. It never waits.
func (e *Engine) more(turnID string) {
	select {
	case e.hints <- turnID:
	default: // readers look for themselves
	}
}

// gather sends what more takes until the engine gives up its turns.
func (e *Engine) gather() {
	defer e.loops.Done()
	for {
		select {
		case first := <-e.hints:
			e.tell(e.running, signalMore, e.gathered(first)...)
		case <-e.running.Done():
			return
		}
	}
}

func (e *Engine) gathered(first string) []string {
	turnIDs := []string{first}
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	for len(turnIDs) < gatherMax {
		select {
		case turnID := <-e.hints:
			turnIDs = append(turnIDs, turnID)
		case <-timer.C:
			return turnIDs
		case <-e.running.Done():
			return turnIDs
		}
	}
	return turnIDs
}

func (e *Engine) followTurns(turnIDs []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, turnID := range turnIDs {
		if a := e.live[turnID]; a != nil {
			a.followed.Store(true)
		}
	}
}

// wake lets the readers of turns of other servers look.
func (e *Engine) wake(turnIDs ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, turnID := range turnIDs {
		wakeAll(e.readers[turnID])
	}
}

func wakeAll(readers map[string]chan struct{}) {
	for _, reader := range readers {
		select {
		case reader <- struct{}{}:
		default: // it will look anyhow
		}
	}
}

// read registers a reader of another server's turn. The channel gets a value
// whenever there may be more; end ends the registration.
func (e *Engine) read(turnID string) (wake <-chan struct{}, end func()) {
	reader, readerID := make(chan struct{}, 1), id.New(id.Request)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.readers[turnID] == nil {
		e.readers[turnID] = map[string]chan struct{}{}
	}
	e.readers[turnID][readerID] = reader
	return reader, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.readers[turnID], readerID)
		if len(e.readers[turnID]) == 0 {
			delete(e.readers, turnID)
		}
	}
}

// pause waits until a reader of another server's turn should look again; false
// when its reader left. It asks the owner to store soon and to tell.
func (e *Engine) pause(ctx context.Context, turnID string, wake <-chan struct{}) bool {
	every := tailEvery
	if e.hearing.Load() {
		every = heardTail
	}
	timer := time.NewTimer(every)
	defer timer.Stop()
	select {
	case <-wake:
		return true
	case <-timer.C:
		if e.hearing.Load() {
			e.tell(ctx, signalFollow, turnID)
		}
		return true
	case <-ctx.Done():
		return false
	}
}
