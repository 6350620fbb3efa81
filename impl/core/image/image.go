// Package image makes, takes, finds and removes pictures. Making one is a turn without
// text: its price is held, a job makes it on whichever server is free, and one
// transaction stores it, settles the price and shows it in its conversation. A job whose
// server died is done by another, so that what was begun ends, and is charged once.
//
// Start with Begin and Wait; make.go is the job, upload.go what people send.
package image

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/idempotency"
	"parley/impl/core/job"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/core/turn"
)

const (
	// makeKind is the job that makes a picture.
	makeKind = "image.make"
	blobKind = "images"
	// waitPoll is how often somebody who waits looks when another server makes the picture.
	waitPoll = time.Second
)

var errMissing = fault.New(fault.NotFound, "Image not found")

// Service makes, finds and removes pictures.
type Service struct {
	DB     *db.DB
	Turns  *turn.Engine
	Models *model.Catalog
	Blobs  *blobs.Store
	Log    *slog.Logger
	Now    func() time.Time

	mu      sync.Mutex
	waiting map[string]map[chan struct{}]struct{} // who waits here, by image
}

// Input describes a picture to make.
type Input struct {
	Caller         key.Caller
	Surface        string
	Purpose        string // db.ImageListed or db.ImageAvatar
	ModelID        string
	Prompt         string
	Width, Height  int       // 0 leaves it to the model
	Variant        uint64    // of pictures of the same prompt
	ConversationID *string   // that will show it; nil: none
	Agent          *db.Agent // whose avatar it becomes; nil: nobody's
	NewAgent       bool      // the agent is stored with the beginning, and goes when the picture fails
	Options        any       // what repeating the answer takes, in the surface's own terms
}

// makeArgs are the arguments of the job: ids and figures.
type makeArgs struct {
	ImageID  string `json:"image_id"`
	TurnID   string `json:"turn_id"`
	Variant  uint64 `json:"variant,omitempty"`
	NewAgent bool   `json:"new_agent,omitempty"`
}

// Begin stores what is to be made, with the hold of its price. An unknown
// model, or one that makes no pictures, is an Invalid fault; NoFunds and RateLimited
// are those of turns; Conflict says that the account's storage is full. Then nothing is stored.
func (s *Service) Begin(ctx context.Context, in Input) (db.Image, error) {
	m, _, err := s.Models.Painter(ctx, in.Caller.AccountID, in.ModelID)
	if err != nil {
		return db.Image{}, err
	}
	if err := s.checkRoom(ctx, in.Caller.AccountID, 0); err != nil {
		return db.Image{}, err
	}
	i := db.Image{
		AccountID: in.Caller.AccountID, ID: id.New(id.Image), Purpose: in.Purpose, AppID: in.Caller.AppID, ConversationID: in.ConversationID,
		ModelID: &m.ID, Prompt: in.Prompt, Width: in.Width, Height: in.Height, State: db.ImageWaiting, CreatedAt: s.Now(),
	}
	if in.Caller.EndUser != "" {
		i.EndUser = &in.Caller.EndUser
	}
	if in.Agent != nil {
		i.AgentID = &in.Agent.ID
	}
	return i, s.begin(ctx, in, m, &i)
}

// begin is not interrupted by a caller that leaves: nobody could tell then whether the picture was begun.
func (s *Service) begin(ctx context.Context, in Input, m db.Model, i *db.Image) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	turnID := id.New(id.Turn)
	i.TurnID = &turnID
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		if in.NewAgent {
			if err := q.InsertAgent(ctx, *in.Agent); err != nil {
				return err
			}
		}
		if err := q.InsertImage(ctx, *i); err != nil {
			return err
		}
		err := job.Enqueue(ctx, q, s.Now(), job.New{
			AccountID: i.AccountID, Kind: makeKind, MaxAttempts: 5,
			Args: makeArgs{ImageID: i.ID, TurnID: turnID, Variant: in.Variant, NewAgent: in.NewAgent},
		})
		if err != nil {
			return err
		}
		// Last, because from here on the account's row is locked, and all other turns of the account wait.
		return s.Turns.BeginPicture(ctx, q, turn.Picture{
			TurnID: turnID, Caller: in.Caller, Surface: in.Surface, ConversationID: in.ConversationID, Model: m, Count: 1, Options: in.Options,
			Claim: idempotency.ClaimOf(ctx),
		})
	})
	if err != nil {
		return s.Turns.Refused(ctx, err)
	}
	return nil
}

// checkRoom is a Conflict fault when the account's pictures and more bytes exceed what its plan allows.
func (s *Service) checkRoom(ctx context.Context, accountID string, more int64) error {
	used, allowed, err := s.DB.StoredBytes(ctx, accountID)
	if err != nil {
		return err
	}
	return full(used+max(more, 1), allowed)
}

// full is a Conflict fault when so many bytes are more than what is allowed; nil allows any.
func full(wanted int64, allowed *int64) error {
	if allowed == nil || wanted <= *allowed {
		return nil
	}
	f := fault.New(fault.Conflict, "The account's storage is full: its plan allows %d bytes of pictures. Delete some.", *allowed)
	f.Code = "storage_full"
	return f
}

// Wait returns an image when it has been made, or as it is when limit fires (nil: never). The
// fault that ended its making is its error; one that is deleted meanwhile is NotFound.
func (s *Service) Wait(ctx context.Context, accountID, imageID string, limit <-chan time.Time) (db.Image, error) {
	done, leave := s.enter(imageID)
	defer leave()
	look := time.NewTicker(waitPoll)
	defer look.Stop()
	for {
		i, ended, err := s.outcome(ctx, accountID, imageID)
		if ended || err != nil {
			return i, err
		}
		select {
		case <-done:
		case <-look.C:
		case <-limit:
			return i, nil
		case <-ctx.Done():
			return db.Image{}, fault.New(fault.Canceled, "The request was canceled.").Because(ctx.Err())
		}
	}
}

// outcome tells whether the making of an image has ended, and how.
func (s *Service) outcome(ctx context.Context, accountID, imageID string) (db.Image, bool, error) {
	i, err := s.Get(ctx, accountID, imageID)
	if err != nil || i.State == db.ImageReady {
		return i, true, err
	}
	t, err := s.DB.Turn(ctx, accountID, *i.TurnID)
	if err != nil || t.State == db.TurnRunning {
		return i, false, err
	}
	if f := turn.FailureOf(t); f != nil {
		return i, true, f
	}
	return i, false, nil // ended between the two reads
}

// OfTurn returns the image that a turn makes; none is a NotFound fault.
func (s *Service) OfTurn(ctx context.Context, accountID, turnID string) (db.Image, error) {
	i, err := s.DB.ImageOfTurn(ctx, accountID, turnID)
	if errors.Is(err, db.ErrNotFound) {
		return db.Image{}, errMissing
	}
	return i, err
}

// Get returns an image of the account in whatever state; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID, imageID string) (db.Image, error) {
	i, err := s.DB.Image(ctx, accountID, imageID)
	if errors.Is(err, db.ErrNotFound) {
		return db.Image{}, errMissing
	}
	return i, err
}

// List returns a page of the account's pictures, the newest first, and how many there are in all.
func (s *Service) List(ctx context.Context, accountID string, page, size int) ([]db.Image, int64, error) {
	total, err := s.DB.CountImages(ctx, accountID)
	if err != nil {
		return nil, 0, err
	}
	rows, err := s.DB.Images(ctx, accountID, (page-1)*size, size)
	return rows, total, err
}

// Open opens the content of a finished image; a missing one is a NotFound fault.
func (s *Service) Open(ctx context.Context, accountID, imageID string) (db.Image, io.ReadCloser, error) {
	i, err := s.Get(ctx, accountID, imageID)
	if err != nil {
		return i, nil, err
	}
	if i.State != db.ImageReady {
		return i, nil, errMissing
	}
	content, err := s.Blobs.Get(ctx, blobOf(accountID, imageID))
	if errors.Is(err, blobs.ErrNotFound) {
		return i, nil, errMissing
	}
	return i, content, err
}

// Delete removes a picture of the account. Messages that show it stay, without it.
func (s *Service) Delete(ctx context.Context, accountID, imageID string) error {
	i, err := s.Get(ctx, accountID, imageID)
	if err != nil {
		return err
	}
	if i.Purpose != db.ImageListed {
		return errMissing // avatars go with their agents, and uploads are not of those that are made
	}
	return s.removeRow(ctx, accountID, imageID)
}

func blobOf(accountID, imageID string) blobs.Name {
	return blobs.Name{AccountID: accountID, Kind: blobKind, ID: imageID}
}

// enter waits for the end of an image's making on this server. Call leave in any case.
func (s *Service) enter(imageID string) (done <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = map[string]map[chan struct{}]struct{}{}
	}
	if s.waiting[imageID] == nil {
		s.waiting[imageID] = map[chan struct{}]struct{}{}
	}
	s.waiting[imageID][c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.waiting[imageID], c); len(s.waiting[imageID]) == 0 {
			delete(s.waiting, imageID)
		}
	}
}

// tell wakes whoever waits here.
func (s *Service) tell(imageID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.waiting[imageID] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Named returns those of the ids that are finished images of the account.
func (s *Service) Named(ctx context.Context, accountID string, imageIDs []string) (map[string]db.Image, error) {
	found := map[string]db.Image{}
	if len(imageIDs) == 0 {
		return found, nil
	}
	rows, err := s.DB.ImagesNamed(ctx, accountID, imageIDs)
	for _, row := range rows {
		found[row.ID] = row
	}
	return found, err
}
