package realtime

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
)

// Session is the conversation of one connection. Its commands are safe for
// concurrent use; their faults are told as error events and end nothing.
type Session struct {
	ID        string
	ExpiresAt time.Time

	service   *Service
	again     func(context.Context) (key.Caller, error)
	send      func(Event)
	unstored  bool
	answering string // the id of the model or the agent

	mu       sync.Mutex
	caller   key.Caller
	settings Settings
	entries  []entry
	bytes    int
	stored   bool
	closing  bool    // no answer is begun any more
	running  *answer // that writes the conversation
	beside   map[string]*answer
	wanted   bool // an answer, as soon as the running one has ended
	gone     bool // the client is
	sound    sound
	ear      ear
	hearing  map[string]*heard // by item
	unheard  lost
	answers  sync.WaitGroup
}

// entry is an item with its place in the table.
type entry struct {
	Item
	rank int64
}

// rankStep is how far apart neighbours are at first: about thirty items can
// be put into the same place.
const rankStep = 1 << 32

// Greet tells the client what it is connected to.
func (s *Session) Greet() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(Event{Type: SessionCreated, View: s.view()})
	s.send(Event{Type: ConversationCreated, View: s.view()})
}

// view needs s.mu.
func (s *Session) view() *View {
	return &View{ID: s.ID, Model: s.answering, ExpiresAt: s.ExpiresAt, Settings: s.settings.resolved(s.sound)}
}

// Settings returns the session's settings, for who changes a part of them.
func (s *Session) Settings() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

// Model is the id of the model or agent that answers.
func (s *Session) Model() string { return s.answering }

// Update changes the settings.
func (s *Session) Update(ctx context.Context, settings Settings) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := settings.check(s.sound); err != nil {
		return err
	}
	if s.stored {
		err := s.service.DB.UpdateRealtimeSession(ctx, s.caller.AccountID, s.ID, string(encoded(settings)))
		if errors.Is(err, db.ErrNotFound) {
			return ErrGone
		}
		if err != nil {
			return err
		}
	}
	if settings.inputFormat() != s.settings.inputFormat() {
		s.ear.forget() // one sound has one encoding
	}
	s.settings = settings
	s.send(Event{Type: SessionUpdated, View: s.view()})
	return nil
}

// ErrGone says that the session was deleted while it was used: its connection ends.
var ErrGone = fault.New(fault.NotFound, "The session was deleted.").Coded("session_not_found")

var errNoItem = about(fault.New(fault.NotFound, "There is no item with this id.").Coded("item_not_found"), "item_id")

// about names the member that a fault is about.
func about(f *fault.Error, member string) *fault.Error {
	f.Fields = []fault.Field{{In: "body", Path: member, Reason: f.Message}}
	return f
}

// Root as the item before another puts that one in front of all.
const Root = "root"

// CreateItem adds an item behind another one: behind all for "".
func (s *Session) CreateItem(ctx context.Context, item Item, after string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.createItem(ctx, item, after, false)
}

// createItem needs s.mu; committed says that the item was in the buffer.
func (s *Session) createItem(ctx context.Context, item Item, after string, committed bool) error {
	if item.ID == "" {
		item.ID = id.New("item_")
	} else if s.index(item.ID) >= 0 {
		return about(fault.New(fault.Conflict, "There is an item with this id already.").Coded("item_exists"), "item.id")
	}
	if item.Type == FunctionOutput && !slices.ContainsFunc(s.entries, func(e entry) bool { return e.Type == FunctionCall && e.CallID == item.CallID }) {
		return about(fault.New(fault.Invalid, "There is no call with this id in the conversation.").Coded("invalid_tool_call_output"), "item.call_id")
	}
	raw, err := s.takeSound(&item)
	if err != nil {
		return err
	}
	e, at, err := s.place(item, after)
	if err != nil {
		return err
	}
	if err := s.keep(ctx, []entry{e}, db.Spoken{}); err != nil {
		return err
	}
	if committed {
		s.send(Event{Type: BufferCommitted, ItemID: e.ID, Previous: s.before(at)})
	}
	s.add(e, at)
	s.send(Event{Type: ItemAdded, Item: &e.Item, Previous: s.before(at)})
	s.send(Event{Type: ItemDone, Item: &e.Item, Previous: s.before(at)})
	if raw != nil {
		s.hear(ctx, e.ID, raw)
	}
	return nil
}

// place finds room for an item.
func (s *Session) place(item Item, after string) (e entry, at int, err error) {
	if len(s.entries) >= ItemsMax || s.bytes+item.size() > ItemsBytes {
		return e, 0, fault.New(fault.TooLarge, "The session is full: it holds at most %d items and %d bytes of them.", ItemsMax, ItemsBytes).Coded("session_full")
	}
	at = len(s.entries)
	switch after {
	case "":
	case Root:
		at = 0
	default:
		if at = s.index(after) + 1; at == 0 {
			return e, 0, about(fault.New(fault.NotFound, "There is no item with this id to put another one behind.").Coded("item_not_found"), "previous_item_id")
		}
	}
	e = entry{Item: item}
	switch {
	case len(s.entries) == 0:
	case at == 0:
		e.rank = s.entries[0].rank - rankStep
	case at == len(s.entries):
		e.rank = s.entries[at-1].rank + rankStep
	default:
		low, high := s.entries[at-1].rank, s.entries[at].rank
		if e.rank = low + (high-low)/2; e.rank == low {
			return e, 0, about(fault.New(fault.Conflict, "There is no more room between these items.").Coded("no_room"), "previous_item_id")
		}
	}
	return e, at, nil
}

// add needs s.mu, and that the item has been kept.
func (s *Session) add(e entry, at int) {
	s.entries = slices.Insert(s.entries, at, e)
	s.bytes += e.size()
}

// index returns where an item is; -1 when there is none.
func (s *Session) index(itemID string) int {
	return slices.IndexFunc(s.entries, func(e entry) bool { return e.ID == itemID })
}

// before is the id of the item before a place; "" at the front.
func (s *Session) before(at int) string {
	if at == 0 {
		return ""
	}
	return s.entries[at-1].ID
}

// RetrieveItem shows an item.
func (s *Session) RetrieveItem(itemID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(itemID)
	if i < 0 {
		return errNoItem
	}
	s.send(Event{Type: ItemRetrieved, Item: &s.entries[i].Item})
	return nil
}

// DeleteItem removes an item. One that an answer is writing cannot be removed.
func (s *Session) DeleteItem(ctx context.Context, itemID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(itemID)
	if i < 0 {
		return errNoItem
	}
	if s.entries[i].Status == InProgress {
		return about(fault.New(fault.Conflict, "The item is being written.").Coded("item_in_progress"), "item_id")
	}
	if s.stored {
		if err := s.service.DB.DeleteRealtimeItem(ctx, s.caller.AccountID, s.ID, itemID); err != nil {
			return err
		}
	}
	s.bytes -= s.entries[i].size()
	s.entries = slices.Delete(s.entries, i, i+1)
	s.send(Event{Type: ItemDeleted, ItemID: itemID})
	return nil
}

// Leave is Close for a client that is gone: nothing more is spoken to it.
func (s *Session) Leave() {
	s.mu.Lock()
	if !s.gone {
		s.gone = true
		s.service.leave(s.caller)
	}
	s.mu.Unlock()
	s.Close()
}

func (s *Session) left() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone
}

// Close refuses further answers and returns when the running ones have ended;
// they do so without their client, too.
func (s *Session) Close() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.answers.Wait()
}
