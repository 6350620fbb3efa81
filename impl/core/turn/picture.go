package turn

import (
	"context"
	"time"

	"parley/db"
	"parley/impl/core/event"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
)

// A picture is a turn without text: the same hold, settlement, ledger, budgets
// and Idempotency-Key. It is made by a job, so that no server owns it, and
// nobody's leases keep it: the job does, see PictureLease.
const pictureOwner = "pictures"

// PictureLease is how long a picture's turn lasts without a sign of life; then it is taken over, and fails.
const PictureLease = time.Hour

// Picture describes the turn of a picture to make.
type Picture struct {
	TurnID         string // its id, a new one
	Caller         key.Caller
	Surface        string
	ConversationID *string // the conversation that will show it; nil: none
	Model          db.Model
	Count          int // how many pictures the turn pays
	Options        any // what repeating its answer takes; stored as JSON
	Claim          *db.Claim
}

// BeginPicture begins the turn within the transaction that stores what is to
// be made. The refusals are those of Start; when there is one the transaction must not be committed.
func (e *Engine) BeginPicture(ctx context.Context, q *db.Queries, p Picture) error {
	now := e.now()
	in := Input{Caller: p.Caller}
	t := db.Turn{
		AccountID: p.Caller.AccountID, ID: p.TurnID, Surface: p.Surface, ConversationID: p.ConversationID, AppID: p.Caller.AppID,
		KeyID: p.Caller.KeyID, ModelID: p.Model.ID, State: db.TurnRunning, Owner: pictureOwner, Lease: PictureLease,
		HeldMicros: p.Model.ImageMicros * int64(p.Count), EndUser: endUser(in), CreatedAt: now, Options: []byte("{}"),
	}
	if p.Options != nil {
		t.Options = encode(p.Options)
	}
	b := db.Beginning{Claim: p.Claim, Ceilings: ceilings(in, 0)}
	begun, err := q.BeginTurn(ctx, t, b)
	if err != nil {
		return err
	}
	return refusal(in, b.Ceilings, begun)
}

// Refused is why a picture's transaction failed, as its caller is told it: another
// request may have taken the Idempotency-Key meanwhile.
func (e *Engine) Refused(ctx context.Context, err error) error { return e.claimed(ctx, err) }

// EndPicture ends the turn of a picture within the transaction that stores the
// picture: failure nil means that it was made, and costs what was held.
// messageID is the message that shows it; "" when none does. A turn that has
// ended is db.ErrNotFound.
func (e *Engine) EndPicture(ctx context.Context, q *db.Queries, t db.Turn, messageID, preview string, failure *fault.Error) error {
	now := e.now()
	t.Owner, t.EndedAt, t.State, t.LastEvent, t.CostMicros = pictureOwner, &now, stateOf(failure), 1, t.HeldMicros
	last := Event{N: 1, Kind: t.State, MessageID: messageID, At: now, Usage: &Usage{}}
	ending := db.Ending{EntryID: id.New(id.Entry), FirstEvent: 1}
	if failure != nil {
		kind := failure.Kind.String()
		t.CostMicros, t.Failure, t.FailureKind = 0, &failure.Message, &kind
		last.Text, last.MessageID, ending.Nothing = failure.Message, "", true
	} else if t.ConversationID != nil {
		ending.Answer, ending.Preview = &db.Message{ID: messageID}, Preview(preview)
	}
	ending.Events, ending.Told = pack([]entry{entryOf(last)}), event.OfTurn(t, last.MessageID)
	return q.EndTurn(ctx, t, ending)
}

// FailureOf is the fault that ended a turn, nil when it completed or still runs.
func FailureOf(t db.Turn) *fault.Error { return failureOf(t) }
