package chat

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/fault"
	"parley/impl/core/flow"
	"parley/impl/core/job"
	"parley/impl/core/key"
)

// runAttempts bounds how often a run is taken up again; its time ends it before.
const runAttempts = 100

// move is a change of a chat on its way.
type move struct {
	chat     db.Chat
	messages []db.ChatMessage
	events   []db.ChatEvent
	wakes    bool // a job has to take the run up
	waits    bool // webhooks are told that a person is asked
	now      time.Time
	runTime  time.Duration
}

func (s *Service) newMove(c db.Chat) *move {
	m := &move{chat: c, now: s.Now(), runTime: s.RunTime}
	m.chat.UpdatedAt = m.now
	return m
}

// said takes in messages in order.
func (m *move) said(messages []flow.Message) {
	for _, said := range messages {
		kind := "assistant"
		if said.ByPerson {
			kind = "user"
		}
		m.messages = append(m.messages, db.ChatMessage{
			ID: newID(), Run: m.chat.Run, Type: kind, Sender: said.Sender, Receiver: said.Receiver, Content: said.Content, CreatedAt: m.now,
		})
		m.tell(EventMessage, struct{}{}, len(m.messages))
	}
}

func (m *move) tell(kind string, payload any, message int) {
	raw, err := json.Marshal(payload)
	if err != nil {
		panic(err) // plain structs
	}
	m.events = append(m.events, db.ChatEvent{Kind: kind, Payload: raw, Message: message, CreatedAt: m.now})
}

// status changes the chat's state, and tells of it.
func (m *move) status(status, reason, prompt string) {
	c := &m.chat
	c.Status, c.Reason, c.Prompt, c.TurnID, c.Attempt, c.DeadlineAt = status, reason, prompt, "", 0, nil
	if status == db.ChatRunning {
		deadline := m.now.Add(m.runTime)
		c.DeadlineAt = &deadline
	}
	if status == db.ChatCompleted || status == db.ChatError {
		c.State = []byte(`{}`)
	}
	m.tell(EventStatus, Status{Status: status, Reason: reason, Prompt: prompt, Run: c.Run}, 0)
}

// stand takes the chat to where its run stands.
func (m *move) stand(f *flow.Flow, state flow.State) error {
	raw, err := encoded(state)
	if err != nil {
		return err
	}
	c := &m.chat
	was := c.Status
	c.State, c.TurnID, c.Attempt = raw, "", 0
	switch {
	case state.Pending == nil && state.Failure != "":
		m.status(db.ChatError, state.Failure, "")
	case state.Pending == nil:
		m.status(db.ChatCompleted, "", "")
	case state.Human():
		m.status(db.ChatWaiting, "", f.Prompt(state))
		m.waits = true
	case was != db.ChatRunning:
		m.status(db.ChatRunning, "", "")
		m.wakes = true
	}
	return nil
}

// waiting is what webhooks are told when a run waits for a person.
type waiting struct {
	ChatID string `json:"chat_id"`
	Run    int64  `json:"run"`
}

// store makes the change durable, or returns db.ErrNotFound when somebody else changed the chat first.
func (s *Service) store(ctx context.Context, m *move) error {
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		last, lastEvent, err := q.MoveChat(ctx, m.chat, m.messages, m.events)
		if err != nil {
			return err
		}
		for i := range m.messages {
			m.messages[i].Seq = last - int64(len(m.messages)-1-i)
		}
		m.chat.LastMessage, m.chat.LastEvent = last, lastEvent
		if m.waits {
			if err := event.Record(ctx, q, m.chat.AccountID, event.ChatWaiting, m.now, waiting{m.chat.ID, m.chat.Run}); err != nil {
				return err
			}
		}
		if !m.wakes {
			return nil
		}
		return job.Enqueue(ctx, q, m.now, job.New{
			AccountID: m.chat.AccountID, Kind: RunKind, Args: runArgs{m.chat.ID, m.chat.Run}, MaxAttempts: runAttempts,
		})
	})
	if err == nil {
		m.chat.Version++
		s.changed(ctx, m.chat.ID)
	}
	return err
}

// current reads a chat to be changed. It is in a transaction, so that a request with an Idempotency-Key claims it
// before it sees what another one with the same key has changed.
func (s *Service) current(ctx context.Context, accountID, chatID string) (c db.Chat, err error) {
	err = s.DB.InTx(ctx, func(q *db.Queries) (err error) {
		c, err = q.Chat(ctx, accountID, chatID)
		return err
	})
	return c, missing(err, errMissing)
}

// change makes a change by compare-and-set, again when others change the chat meanwhile. Edit refuses what the
// chat's state does not admit.
func (s *Service) change(ctx context.Context, accountID, chatID string, edit func(m *move) error) (*move, error) {
	for range conflictsMax {
		c, err := s.current(ctx, accountID, chatID)
		if err != nil {
			return nil, err
		}
		m := s.newMove(c)
		if err := edit(m); err != nil {
			return nil, err
		}
		if err := s.store(ctx, m); !errors.Is(err, db.ErrNotFound) {
			return m, err
		}
	}
	return nil, errBusy
}

// Send begins a run with a person's message, which it returns. A chat that runs or waits is a Conflict.
func (s *Service) Send(ctx context.Context, caller key.Caller, chatID, text string) (db.Chat, db.ChatMessage, error) {
	m, err := s.change(ctx, caller.AccountID, chatID, func(m *move) error { return s.begin(ctx, m, caller, text) })
	if err != nil {
		return db.Chat{}, db.ChatMessage{}, err
	}
	return m.chat, m.messages[0], nil
}

func (s *Service) begin(ctx context.Context, m *move, caller key.Caller, text string) error {
	c := &m.chat
	switch c.Status {
	case db.ChatRunning:
		return fault.New(fault.Conflict, "The chat is running. Wait for its end, or abort it.")
	case db.ChatWaiting:
		return fault.New(fault.Conflict, "The chat waits for human input: send it to /chats/%s/input.", c.ID)
	}
	if err := s.refresh(ctx, c); err != nil && fault.KindOf(err) != fault.NotFound {
		return err // what is gone meanwhile is run as it was
	}
	f, problems := flow.Parse(c.Definition)
	if len(problems) > 0 {
		return fault.New(fault.Conflict, "The chat's flow cannot be run: %s", told(problems[0]))
	}
	c.Run++
	c.PayerID, c.PayerKind = caller.KeyID, caller.By
	state, messages := f.Start(text, rand.Uint64())
	sender, receiver := f.Starter()
	m.said(append([]flow.Message{{Sender: sender, Receiver: receiver, Content: text, ByPerson: true}}, messages...))
	return m.stand(f, state)
}

// Input answers a run that waits for a person; any other is a Conflict, and nothing changes. An empty text goes
// on without an answer, "exit" ends the conversation.
func (s *Service) Input(ctx context.Context, accountID, chatID, text string) (db.Chat, error) {
	m, err := s.change(ctx, accountID, chatID, func(m *move) error {
		if m.chat.Status != db.ChatWaiting {
			return fault.New(fault.Conflict, "The chat does not wait for human input; it is %s.", m.chat.Status)
		}
		f, state, err := parsed(m.chat)
		if err != nil {
			return err
		}
		asked, agent := approvalOf(state), f.Asked(state)
		state, messages, err := f.Took(state, text)
		if err != nil {
			return err
		}
		m.answered(agent, asked, state)
		m.said(messages)
		return m.stand(f, state)
	})
	if err != nil {
		return db.Chat{}, err
	}
	return m.chat, nil
}

// cancelled is the reason of a run that somebody ended.
const cancelled = "The run was cancelled."

// Cancel ends a run at any point. A chat that does not run stays as it is.
func (s *Service) Cancel(ctx context.Context, accountID, chatID string) (db.Chat, error) {
	for range conflictsMax {
		c, err := s.Get(ctx, accountID, chatID)
		if err != nil || c.Status != db.ChatRunning && c.Status != db.ChatWaiting {
			return c, err
		}
		m := s.newMove(c)
		m.status(db.ChatCompleted, cancelled, "")
		err = s.store(ctx, m)
		if errors.Is(err, db.ErrNotFound) {
			continue
		}
		if err == nil && c.TurnID != "" {
			_, err = s.Turns.Cancel(ctx, accountID, c.TurnID)
		}
		return m.chat, err
	}
	return db.Chat{}, errBusy
}

// Delete ends a chat's run and removes it with all that was said in it.
func (s *Service) Delete(ctx context.Context, accountID, chatID string) error {
	c, err := s.Get(ctx, accountID, chatID)
	if err != nil {
		return err
	}
	if _, err := s.Cancel(ctx, accountID, chatID); err != nil {
		return err
	}
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if c.TurnID != "" { // elsewhere it may still be ending
			if err := job.Enqueue(ctx, q, s.Now(), job.New{AccountID: accountID, Kind: forgetKind, Args: forgetArgs{c.TurnID}}); err != nil {
				return err
			}
		}
		return q.DeleteChat(ctx, accountID, chatID)
	})
	s.changed(ctx, chatID)
	return missing(err, errMissing)
}
