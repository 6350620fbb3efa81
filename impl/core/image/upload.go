package image

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/file"
	"parley/impl/core/id"
	"parley/impl/core/job"
	"parley/impl/core/key"
)

const (
	// UploadBytesMax bounds an encoded picture that somebody sends.
	UploadBytesMax = 10 << 20
	// sweepKind is the job that removes the content of an upload whose server died before it stored the rest.
	sweepKind  = "image.sweep"
	sweepAfter = 15 * time.Minute
	// cleanedMax bounds the content of a picture as it is stored: pixels may take more than they took when they came.
	cleanedMax = 128 << 20
)

var errData = fault.New(fault.Invalid, "The picture is no data URL in base64: data:image/png;base64,…")

// Upload describes a picture that somebody sends.
type Upload struct {
	Caller         key.Caller
	Name           string // what its sender calls it
	Raw            []byte
	ConversationID *string // with which it goes; nil: none
}

// DataURL returns what a data URL of a picture holds; anything else is an Invalid fault, too much a TooLarge one.
func DataURL(text string) ([]byte, error) {
	head, data, found := strings.Cut(text, ",")
	if !found || !strings.HasPrefix(head, "data:image/") || !strings.HasSuffix(head, ";base64") {
		return nil, errData
	}
	if base64.StdEncoding.DecodedLen(len(data)) > UploadBytesMax+2 {
		return nil, fault.New(fault.Invalid, "The picture is larger than %d bytes.", UploadBytesMax)
	}
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, errData.Because(err)
	}
	return raw, nil
}

// Take stores a picture that somebody sends, cleaned. What is no picture of
// bounded size is an Invalid fault; a full storage is a Conflict. Then nothing is stored.
func (s *Service) Take(ctx context.Context, u Upload) (db.Image, error) {
	i, p, err := s.prepare(ctx, u)
	if err != nil {
		return i, err
	}
	return i, s.keepContent(ctx, i, p, nil)
}

// TakeAvatar stores a picture that somebody sends as that of an agent that is
// new and stored with it, or neither is. The faults are those of Take.
func (s *Service) TakeAvatar(ctx context.Context, u Upload, a db.Agent) (db.Image, error) {
	i, p, err := s.prepare(ctx, u)
	if err != nil {
		return i, err
	}
	i.Purpose, i.AgentID, i.Prompt = db.ImageAvatar, &a.ID, ""
	return i, s.keepContent(ctx, i, p, func(ctx context.Context, q *db.Queries) error {
		if err := q.InsertAgent(ctx, a); err != nil {
			return err
		}
		_, err := q.SetAvatar(ctx, a.AccountID, a.ID, i.ID)
		return err
	})
}

func (s *Service) prepare(ctx context.Context, u Upload) (db.Image, file.Picture, error) {
	if len(u.Raw) > UploadBytesMax {
		return db.Image{}, file.Picture{}, fault.New(fault.Invalid, "The picture is larger than %d bytes.", UploadBytesMax)
	}
	if err := s.checkRoom(ctx, u.Caller.AccountID, 0); err != nil {
		return db.Image{}, file.Picture{}, err
	}
	p, err := file.CleanInTurn(ctx, u.Raw)
	if err != nil {
		return db.Image{}, p, err
	}
	i := db.Image{
		AccountID: u.Caller.AccountID, ID: id.New(id.Image), Purpose: db.ImageUpload, AppID: u.Caller.AppID, ConversationID: u.ConversationID,
		Name: u.Name, Width: p.Width, Height: p.Height, State: db.ImageReady, Progress: 100, MediaType: p.MediaType, Bytes: int64(len(p.Content)),
		CreatedAt: s.Now(),
	}
	if u.Caller.EndUser != "" {
		i.EndUser = &u.Caller.EndUser
	}
	return i, p, s.checkRoom(ctx, i.AccountID, i.Bytes)
}

type sweepArgs struct {
	ImageID string `json:"image_id"`
}

// keepContent stores the content and then the row, with what beside stores. A
// server that dies between the two leaves content that the job ordered before removes.
func (s *Service) keepContent(ctx context.Context, i db.Image, p file.Picture, beside func(context.Context, *db.Queries) error) error {
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		return job.Enqueue(ctx, q, s.Now(), job.New{
			AccountID: i.AccountID, Kind: sweepKind, MaxAttempts: 20, Args: sweepArgs{ImageID: i.ID}, RunAt: s.Now().Add(sweepAfter),
		})
	})
	if err != nil {
		return err
	}
	_, err = s.Blobs.Put(ctx, blobOf(i.AccountID, i.ID), cleanedMax, func(w io.Writer) error {
		_, err := w.Write(p.Content)
		return err
	})
	if err != nil {
		return err
	}
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := roomFor(ctx, q, i.AccountID, i.Bytes); err != nil {
			return err
		}
		if beside != nil {
			if err := beside(ctx, q); err != nil {
				return err
			}
		}
		return q.InsertImage(ctx, i)
	})
	if _, refused := errors.AsType[*fault.Error](err); refused { // the job would do it, but much later
		err = errors.Join(err, s.Blobs.Delete(context.WithoutCancel(ctx), blobOf(i.AccountID, i.ID)))
	}
	return err
}

// roomFor is checkRoom for a transaction that stores the bytes: of many at once, none gets past the ceiling.
func roomFor(ctx context.Context, q *db.Queries, accountID string, more int64) error {
	used, allowed, err := q.StorageLeft(ctx, accountID)
	if err != nil {
		return err
	}
	return full(used+more, allowed)
}

// sweep removes the content of an upload that is not there.
func (s *Service) sweep(ctx context.Context, r job.Run, args sweepArgs) error {
	_, err := s.DB.Image(ctx, r.AccountID, args.ImageID)
	if errors.Is(err, db.ErrNotFound) {
		return s.Blobs.Delete(ctx, blobOf(r.AccountID, args.ImageID))
	}
	return err
}

// Uploads lists the pictures that people sent, the newest first, from before an id ("" from the newest).
func (s *Service) Uploads(ctx context.Context, accountID, beforeID string, limit int) ([]db.Image, error) {
	return s.DB.Uploads(ctx, accountID, beforeID, limit)
}

// Upload returns a picture that somebody sent; any other is a NotFound fault.
func (s *Service) Upload(ctx context.Context, accountID, imageID string) (db.Image, error) {
	i, err := s.Get(ctx, accountID, imageID)
	if err == nil && i.Purpose != db.ImageUpload {
		return db.Image{}, errMissing
	}
	return i, err
}

// DeleteUpload removes a picture that somebody sent. Messages that show it stay, without it.
func (s *Service) DeleteUpload(ctx context.Context, accountID, imageID string) error {
	if _, err := s.Upload(ctx, accountID, imageID); err != nil {
		return err
	}
	return s.removeRow(ctx, accountID, imageID)
}

func (s *Service) removeRow(ctx context.Context, accountID, imageID string) error {
	err := s.DB.DeleteImage(ctx, accountID, imageID, s.Now())
	if errors.Is(err, db.ErrNotFound) {
		return errMissing
	}
	return err
}
