package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/fault"
)

// What followers of a chat are told.
const (
	EventStatus   = "status"
	EventSpeaking = "speaking" // somebody begins to write; deltas follow
	EventDelta    = "delta"    // a piece of what they write; it has no number and is not stored
	EventTool     = "tool"     // what becomes of an agent's call of a tool
	EventMessage  = "message"
	EventEnd      = "end" // the chat neither runs nor waits for a person; it has no number and is not stored
)

// Status is the payload of a change of state.
type Status struct {
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	Prompt string `json:"prompt,omitempty"`
	Run    int64  `json:"run"`
}

// Speaking is the payload of a beginning message.
type Speaking struct {
	TurnID   string `json:"turn_id"`
	Sender   string `json:"sender"`
	Receiver string `json:"receiver"`
}

// Event is what a follower is told. One of the last five belongs to its Kind.
type Event struct {
	N        int64 // from 1 without gaps; 0 for what is not stored
	Kind     string
	Status   Status
	Speaking Speaking
	Tool     ToolCall
	Message  db.ChatMessage
	Delta    any // as the surface encodes it
}

const (
	// channel carries the ids of chats that have changed, to all servers.
	channel = "parley_chats"
	// lookEvery is how often a follower looks who may have missed a hint.
	lookEvery     = time.Second
	signalTimeout = 2 * time.Second
	eventsBatch   = 100
)

// hub wakes the followers of this server.
type hub struct {
	mu        sync.Mutex
	followers map[string]map[chan struct{}]bool // by chat
	stopped   chan struct{}
	stop      sync.Once
}

func (h *hub) join(chatID string) (wake chan struct{}, leave func()) {
	wake = make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.followers[chatID] == nil {
		h.followers[chatID] = map[chan struct{}]bool{}
	}
	h.followers[chatID][wake] = true
	return wake, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if delete(h.followers[chatID], wake); len(h.followers[chatID]) == 0 {
			delete(h.followers, chatID)
		}
	}
}

func (h *hub) wake(chatID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for follower := range h.followers[chatID] {
		select {
		case follower <- struct{}{}:
		default: // it will look anyhow
		}
	}
}

// Listen lets followers hear of changes on other servers until ctx ends.
func (s *Service) Listen(ctx context.Context, dsn string) {
	db.Listen(ctx, dsn, channel, s.hub.wake, func(bool) {})
}

// Stop ends all following: the server is shutting down.
func (s *Service) Stop() { s.hub.stop.Do(func() { close(s.hub.stopped) }) }

// Stopping tells whether Stop was called.
func (s *Service) Stopping() bool {
	select {
	case <-s.hub.stopped:
		return true
	default:
		return false
	}
}

// changed hints that a chat has changed; a follower who misses it finds out by looking.
func (s *Service) changed(ctx context.Context, chatID string) {
	s.hub.wake(chatID)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signalTimeout)
	defer cancel()
	if err := s.DB.Notify(ctx, channel, chatID); err != nil {
		s.Log.Warn("a hint to other servers was not sent", "chat", chatID, "error", err)
	}
}

// pause waits until a follower should look again; false when it is to end.
func (s *Service) pause(ctx context.Context, wake <-chan struct{}) bool {
	timer := time.NewTimer(lookEvery)
	defer timer.Stop()
	select {
	case <-wake:
		return true
	case <-timer.C:
		return true
	case <-s.hub.stopped:
		return false
	case <-ctx.Done():
		return false
	}
}

// Await returns a chat once it does not run, or after a time as it is then.
func (s *Service) Await(ctx context.Context, accountID, chatID string, patience time.Duration) (db.Chat, error) {
	wake, leave := s.hub.join(chatID)
	defer leave()
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		c, err := s.Get(ctx, accountID, chatID)
		if err != nil || c.Status != db.ChatRunning || !s.pause(waiting, wake) {
			return c, err
		}
	}
}

// Follow yields what happens in a chat beyond event number after, as it happens,
// until ctx ends, the chat is deleted or the server stops. Unless it is lasting it ends, with EventEnd, when
// the chat neither runs nor waits for a person.
func (s *Service) Follow(ctx context.Context, accountID, chatID string, after int64, lasting bool) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		wake, leave := s.hub.join(chatID)
		defer leave()
		for {
			c, err := s.DB.Chat(ctx, accountID, chatID)
			switch {
			case errors.Is(err, db.ErrNotFound):
				return
			case err != nil && ctx.Err() == nil:
				yield(Event{}, err)
				return
			case err != nil:
				return
			case c.LastEvent > after:
				if after, err = s.tell(ctx, c, after, yield); err != nil {
					return
				}
			case !lasting && c.Status != db.ChatRunning && c.Status != db.ChatWaiting:
				yield(Event{Kind: EventEnd, Status: Status{Status: c.Status}}, nil)
				return
			case !s.pause(ctx, wake):
				return
			}
		}
	}
}

var errLeft = errors.New("the follower has left")

// tell yields a batch of events, with the pieces of a message that is being written at its end. It returns the
// last event's number, or an error when the following is over.
func (s *Service) tell(ctx context.Context, c db.Chat, after int64, yield func(Event, error) bool) (int64, error) {
	events, err := s.events(ctx, c.AccountID, c.ID, after)
	if err != nil {
		if ctx.Err() == nil {
			yield(Event{}, err)
		}
		return after, err
	}
	for _, e := range events {
		if !yield(e, nil) {
			return after, errLeft
		}
		after = e.N
	}
	if n := len(events); n > 0 && after >= c.LastEvent && events[n-1].Kind == EventSpeaking && !s.deltas(ctx, c.AccountID, events[n-1].Speaking.TurnID, yield) {
		return after, errLeft
	}
	return after, nil
}

// deltas yields the pieces of a message that is being written, from its beginning; false when the follower left.
func (s *Service) deltas(ctx context.Context, accountID, turnID string, yield func(Event, error) bool) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.hub.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	t, err := s.Turns.Find(ctx, accountID, turnID)
	if err != nil || t.State != db.TurnRunning {
		return true // the message, or what became of it, follows
	}
	frames, err := s.Turns.Frames(ctx, t, 0)
	if err != nil {
		return true
	}
	for frame, err := range frames {
		if err != nil {
			return true
		}
		if frame.Event == EventDelta && !yield(Event{Kind: EventDelta, Delta: frame.Content()}, nil) {
			return false
		}
	}
	return true
}

// events reads a batch of what followers are told.
func (s *Service) events(ctx context.Context, accountID, chatID string, after int64) ([]Event, error) {
	rows, err := s.DB.ChatEvents(ctx, accountID, chatID, after, eventsBatch)
	if err != nil {
		return nil, err
	}
	var messages []db.ChatMessage
	for _, row := range rows {
		if row.MessageSeq != nil {
			if messages, err = s.DB.ChatMessages(ctx, accountID, chatID, *row.MessageSeq-1, eventsBatch); err != nil {
				return nil, err
			}
			break
		}
	}
	events := make([]Event, 0, len(rows))
	for _, row := range rows {
		e := Event{N: row.Seq, Kind: row.Kind}
		if err := e.read(row, messages); err != nil {
			return nil, fmt.Errorf("decode event of chat: %w", err)
		}
		events = append(events, e)
	}
	return events, nil
}

func (e *Event) read(row db.ChatEvent, messages []db.ChatMessage) error {
	switch row.Kind {
	case EventStatus:
		return json.Unmarshal(row.Payload, &e.Status)
	case EventSpeaking:
		return json.Unmarshal(row.Payload, &e.Speaking)
	case EventTool:
		return json.Unmarshal(row.Payload, &e.Tool)
	}
	for _, m := range messages {
		if row.MessageSeq != nil && m.Seq == *row.MessageSeq {
			e.Message = m
			return nil
		}
	}
	return fault.New(fault.NotFound, "Chat not found") // deleted between two reads
}
