package image

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/file"
	"parley/impl/core/id"
	"parley/impl/core/job"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

const (
	storeTimeout = 10 * time.Second
	// keepEvery is how often a picture in the making shows a sign of life and looks whether it is still wanted.
	keepEvery   = time.Second
	makeTimeout = 12 * time.Minute // longer than any provider takes
	makeSlots   = 6
)

var (
	errCancelled = fault.New(fault.Canceled, "The picture was cancelled.")
	errGone      = fault.New(fault.NotFound, "The picture is not wanted any more: its conversation or its account's content was deleted.")
)

// Handle registers the jobs.
func (s *Service) Handle(r *job.Runner) {
	r.Handle(makeKind, job.Handler{Do: job.Typed(s.make), Slots: makeSlots, Timeout: makeTimeout})
	r.Handle(db.RemoveImageJob, job.Handler{Do: job.Typed(s.remove), Slots: 4})
	r.Handle(sweepKind, job.Handler{Do: job.Typed(s.sweep), Slots: 2})
}

type removeArgs struct {
	ImageID string `json:"image_id"`
}

func (s *Service) remove(ctx context.Context, r job.Run, args removeArgs) error {
	return s.Blobs.Delete(ctx, blobOf(r.AccountID, args.ImageID))
}

// make makes a picture once. An attempt that follows a server's death begins anew.
func (s *Service) make(ctx context.Context, r job.Run, args makeArgs) error {
	defer s.tell(args.ImageID)
	t, err := s.DB.Turn(ctx, r.AccountID, args.TurnID)
	if errors.Is(err, db.ErrNotFound) || err == nil && t.State != db.TurnRunning {
		return s.abandon(ctx, r.AccountID, args)
	}
	if err != nil {
		return err
	}
	i, err := s.DB.Image(ctx, r.AccountID, args.ImageID)
	if errors.Is(err, db.ErrNotFound) {
		return s.fail(ctx, t, args, errGone)
	}
	if err != nil {
		return err
	}
	picture, err := s.paint(ctx, i, args)
	if err == nil {
		err = s.finish(ctx, t, i, picture, args)
	}
	if err == nil {
		return nil
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return err // this server stops: another one begins anew
	}
	if own, ok := errors.AsType[*fault.Error](err); ctx.Err() == nil && !r.Last() && (!ok || own.Kind == fault.Unavailable) {
		return err // another attempt may succeed
	}
	return s.fail(ctx, t, args, fault.From(err))
}

// paint asks the provider, keeping the turn alive and ending when it shall end.
func (s *Service) paint(ctx context.Context, i db.Image, args makeArgs) (file.Picture, error) {
	m, painter, err := s.Models.Painter(ctx, i.AccountID, *i.ModelID)
	if err != nil {
		return file.Picture{}, err
	}
	working, end := context.WithCancelCause(ctx)
	defer end(nil)
	var percent atomic.Int64
	kept := make(chan struct{})
	go func() { defer close(kept); s.keep(working, i, &percent, end) }()
	d := provider.Drawing{
		Model: m.UpstreamName, Prompt: i.Prompt, Width: i.Width, Height: i.Height, Portrait: i.Purpose == db.ImageAvatar, Variant: args.Variant,
	}
	raw, err := painter.Paint(working, d, func(p int) { percent.Store(int64(p)) })
	cause := context.Cause(working)
	end(nil)
	<-kept
	if err != nil && cause != nil {
		err = cause // why it was ended, not how the provider noticed
	}
	if err != nil {
		return file.Picture{}, err
	}
	picture, err := file.Clean(raw)
	if err != nil {
		return picture, fault.New(fault.Upstream, "The model's provider sent no picture that can be read.").Because(err)
	}
	return picture, nil
}

// keep shows signs of life until ctx ends, and ends the work when the turn shall end or has.
func (s *Service) keep(ctx context.Context, i db.Image, percent *atomic.Int64, end context.CancelCauseFunc) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		cancel, err := s.DB.KeepImage(ctx, i.AccountID, i.ID, *i.TurnID, int(percent.Load()), turn.PictureLease)
		switch {
		case errors.Is(err, db.ErrNotFound):
			end(errGone)
		case err == nil && cancel:
			end(errCancelled)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// finish stores the content and then, in one transaction, the picture, its
// price, and where it is shown.
func (s *Service) finish(ctx context.Context, t db.Turn, i db.Image, p file.Picture, args makeArgs) error {
	if err := s.checkRoom(ctx, i.AccountID, int64(len(p.Content))); err != nil {
		return err
	}
	_, err := s.Blobs.Put(ctx, blobOf(i.AccountID, i.ID), provider.PictureBytesMax*2, func(w io.Writer) error {
		_, err := w.Write(p.Content)
		return err
	})
	if err != nil {
		return err
	}
	i.State, i.Progress, i.MediaType, i.Bytes, i.Width, i.Height = db.ImageReady, 100, p.MediaType, int64(len(p.Content)), p.Width, p.Height
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	err = s.DB.InTx(ctx, func(q *db.Queries) error { return s.store(ctx, q, t, i) })
	if errors.Is(err, db.ErrNotFound) {
		return s.lost(ctx, t, args)
	}
	if err == nil {
		s.Turns.PictureEnded(ctx, t, nil)
	}
	return err
}

// store ends the turn as late as it can: from there on the account's row is
// locked, and all other turns of the account wait.
func (s *Service) store(ctx context.Context, q *db.Queries, t db.Turn, i db.Image) error {
	if err := q.EndImage(ctx, i); err != nil {
		return err
	}
	if err := s.setAvatar(ctx, q, i); err != nil {
		return err
	}
	messageID := id.New(id.Message)
	if err := s.Turns.EndPicture(ctx, q, t, messageID, i.Prompt, nil); err != nil || i.ConversationID == nil {
		return err
	}
	return q.AttachImage(ctx, i.AccountID, *i.ConversationID, messageID, i.ID)
}

// setAvatar gives a picture to the agent that it was made for, if there is one, in place of the one before.
func (s *Service) setAvatar(ctx context.Context, q *db.Queries, i db.Image) error {
	if i.AgentID == nil {
		return nil
	}
	before, err := q.SetAvatar(ctx, i.AccountID, *i.AgentID, i.ID)
	if err != nil || before == "" || before == i.ID {
		return err
	}
	err = q.DeleteImage(ctx, i.AccountID, before, s.Now())
	if errors.Is(err, db.ErrNotFound) {
		return nil
	}
	return err
}

// lost is when the picture could not be stored because its turn, row,
// conversation or agent is gone. An earlier attempt may have stored all of it and only its reply been lost.
func (s *Service) lost(ctx context.Context, t db.Turn, args makeArgs) error {
	i, err := s.DB.Image(ctx, t.AccountID, args.ImageID)
	if err == nil && i.State == db.ImageReady {
		return nil
	}
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	return errGone
}

// fail ends the turn of a picture that was not made: nothing is charged.
func (s *Service) fail(ctx context.Context, t db.Turn, args makeArgs, f *fault.Error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	s.Log.Warn("a picture was not made", "image", args.ImageID, "turn", t.ID, "account", t.AccountID, "model", t.ModelID, "error", f, "cause", errors.Unwrap(f))
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		return s.Turns.EndPicture(ctx, q, t, "", "", f)
	})
	if err != nil && !errors.Is(err, db.ErrNotFound) {
		return err
	}
	if err == nil {
		s.Turns.PictureEnded(ctx, t, f)
	}
	return s.abandon(ctx, t.AccountID, args)
}

// abandon clears up after a turn that ended without a picture: its row, its content, the agent made for it.
func (s *Service) abandon(ctx context.Context, accountID string, args makeArgs) error {
	i, err := s.DB.Image(ctx, accountID, args.ImageID)
	if errors.Is(err, db.ErrNotFound) {
		return s.Blobs.Delete(ctx, blobOf(accountID, args.ImageID))
	}
	if err != nil || i.State == db.ImageReady {
		return err
	}
	return s.DB.InTx(ctx, func(q *db.Queries) error {
		if i.State == db.ImageWaiting {
			i.State = db.ImageFailed
			if err := q.EndImage(ctx, i); err != nil && !errors.Is(err, db.ErrNotFound) {
				return err
			}
		}
		if args.NewAgent {
			if _, err := q.DeleteAgent(ctx, accountID, *i.AgentID); err != nil && !errors.Is(err, db.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}
