package realtime

import (
	"context"
	"errors"
	"time"

	"parley/db"
)

// keeping is what is to be stored, and with it its session unless that is stored
// already. It holds nothing of the session that can change.
type keeping struct {
	service  *Service
	begin    *db.Conversation // nil when the session is stored
	settings string           // as of begin
	account  string
	id       string
	rows     []db.RealtimeItem
	spoken   db.Spoken
	now      time.Time
}

// keeping needs s.mu. It is nil when there is nothing to store.
func (s *Session) keeping(items []entry, spoken db.Spoken) *keeping {
	if s.unstored || len(items) == 0 {
		return nil
	}
	k := &keeping{service: s.service, account: s.caller.AccountID, id: s.ID, spoken: spoken, now: s.service.Now(), rows: make([]db.RealtimeItem, len(items))}
	if !s.stored {
		k.begin = &db.Conversation{
			AccountID: s.caller.AccountID, ID: s.ID, Surface: Surface, AppID: s.caller.AppID, ModelID: &s.answering, CreatedAt: k.now,
		}
		if s.caller.EndUser != "" {
			k.begin.EndUser = &s.caller.EndUser
		}
		k.settings = string(encoded(s.settings))
	}
	for i, e := range items {
		k.rows[i] = db.RealtimeItem{ID: e.ID, Rank: e.rank, Item: string(encoded(e.Item))}
	}
	return k
}

// store may be called again after a failure.
func (k *keeping) store(ctx context.Context) error {
	if k == nil {
		return nil
	}
	if k.begin != nil {
		if err := k.service.DB.InsertRealtimeSession(ctx, *k.begin, k.settings); err != nil {
			return err
		}
	}
	err := k.service.DB.InsertRealtimeItems(ctx, k.account, k.id, k.rows, k.spoken, k.now)
	var conflict *db.ConflictError
	if errors.As(err, &conflict) {
		return ErrGone
	}
	return err
}

// storePatiently tries again while the database is away, until ctx ends.
func (k *keeping) storePatiently(ctx context.Context) error {
	for {
		err := k.store(context.WithoutCancel(ctx))
		if !errors.Is(err, db.ErrUnavailable) {
			return err
		}
		select {
		case <-time.After(storeRetry):
		case <-ctx.Done():
			return err
		}
	}
}

// kept notes, under s.mu, that something is stored. What the session was told
// since it was taken down is stored, too.
func (s *Session) kept(ctx context.Context, k *keeping) error {
	if k == nil || k.begin == nil || s.stored {
		return nil
	}
	s.stored = true
	now := string(encoded(s.settings))
	if now == k.settings {
		return nil
	}
	err := s.service.DB.UpdateRealtimeSession(ctx, k.account, k.id, now)
	if goneNow(err) {
		return ErrGone
	}
	return err
}

// keep stores items, and the session with the first of them.
func (s *Session) keep(ctx context.Context, items []entry, spoken db.Spoken) error {
	k := s.keeping(items, spoken)
	if err := k.store(ctx); err != nil {
		return err
	}
	return s.kept(ctx, k)
}

func goneNow(err error) bool { return errors.Is(err, db.ErrNotFound) }
