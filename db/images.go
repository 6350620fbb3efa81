package db

import (
	"context"
	"time"

	"github.com/lib/pq"
)

// The states of an image and what images are for.
const (
	ImageWaiting = "waiting"
	ImageReady   = "ready"
	ImageFailed  = "failed"

	ImageListed = "image"
	ImageAvatar = "avatar"
	ImageUpload = "upload"
)

// RemoveImageJob is the kind of the job that removes the blob of a deleted image; its id follows from the image's.
const RemoveImageJob = "image.remove"

// Image is a picture that a turn makes, or that somebody sent. Its content is a blob.
type Image struct {
	AccountID      string    `db:"account_id"`
	ID             string    `db:"image_id"`
	Purpose        string    `db:"purpose"`
	TurnID         *string   `db:"turn_id"` // nil for uploads
	AppID          string    `db:"app_id"`
	EndUser        *string   `db:"end_user"`
	ConversationID *string   `db:"conversation_id"`
	AgentID        *string   `db:"agent_id"`
	ModelID        *string   `db:"model_id"`
	Prompt         string    `db:"prompt"`
	Width          int       `db:"width"`
	Height         int       `db:"height"`
	State          string    `db:"state"`
	Progress       int       `db:"progress"` // per cent
	MediaType      string    `db:"media_type"`
	Bytes          int64     `db:"bytes"`
	Name           string    `db:"name"` // what the sender of an upload calls it
	CreatedAt      time.Time `db:"created_at"`
}

const imageColumns = `account_id, image_id, purpose, turn_id, app_id, end_user, conversation_id, agent_id, model_id, prompt,
	width, height, state, progress, media_type, bytes, created_at, name`

// InsertImage stores an image.
func (q *Queries) InsertImage(ctx context.Context, i Image) error {
	_, err := q.exec(ctx, `
		insert into images (`+imageColumns+`)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		on conflict (account_id, image_id) do nothing`,
		i.AccountID, i.ID, i.Purpose, i.TurnID, i.AppID, i.EndUser, i.ConversationID, i.AgentID, i.ModelID, i.Prompt,
		i.Width, i.Height, i.State, i.Progress, i.MediaType, i.Bytes, i.CreatedAt, i.Name)
	return err
}

// Image returns one image of the account.
func (q *Queries) Image(ctx context.Context, accountID, imageID string) (Image, error) {
	var i Image
	err := q.get(ctx, &i, `
		select `+imageColumns+`
		from images
		where account_id = $1 and image_id = $2`,
		accountID, imageID)
	return i, err
}

// ImageOfTurn returns the image that a turn makes.
func (q *Queries) ImageOfTurn(ctx context.Context, accountID, turnID string) (Image, error) {
	var i Image
	err := q.get(ctx, &i, `
		select `+imageColumns+`
		from images
		where account_id = $1 and turn_id = $2`,
		accountID, turnID)
	return i, err
}

// Images lists the account's finished images, the newest first, avatars and uploads left out.
func (q *Queries) Images(ctx context.Context, accountID string, offset, limit int) ([]Image, error) {
	images := []Image{}
	err := q.list(ctx, &images, `
		select `+imageColumns+`
		from images
		where account_id = $1 and purpose = 'image' and state = 'ready'
		order by image_id desc
		offset $2 limit $3`,
		accountID, offset, limit)
	return images, err
}

// CountImages is how many images Images would list.
func (q *Queries) CountImages(ctx context.Context, accountID string) (int64, error) {
	var n int64
	err := q.get(ctx, &n, `
		select count(*)
		from images
		where account_id = $1 and purpose = 'image' and state = 'ready'`,
		accountID)
	return n, err
}

// ImagesNamed returns those of the ids that are finished images of the account.
func (q *Queries) ImagesNamed(ctx context.Context, accountID string, imageIDs []string) ([]Image, error) {
	images := []Image{}
	err := q.list(ctx, &images, `
		select `+imageColumns+`
		from images
		where account_id = $1 and image_id = any($2) and state = 'ready'`,
		accountID, pq.Array(imageIDs))
	return images, err
}

// StoredBytes is how much the account's images take, and what its plan allows; nil: not limited.
func (q *Queries) StoredBytes(ctx context.Context, accountID string) (used int64, allowed *int64, err error) {
	var row struct {
		Used    int64  `db:"used"`
		Allowed *int64 `db:"allowed"`
	}
	err = q.get(ctx, &row, `
		select (select coalesce(sum(bytes), 0) from images where account_id = $1)::bigint as used, p.storage_bytes as allowed
		from accounts a
		join plans p on p.name = a.plan
		where a.account_id = $1`,
		accountID)
	return row.Used, row.Allowed, err
}

// EndImage stores how the making of a waiting image ended. One that is gone or has ended is ErrNotFound.
func (q *Queries) EndImage(ctx context.Context, i Image) error {
	return q.execOne(ctx, `
		update images
		set state = $3, progress = $4, media_type = $5, bytes = $6, width = $7, height = $8
		where account_id = $1 and image_id = $2 and state = 'waiting'`,
		i.AccountID, i.ID, i.State, i.Progress, i.MediaType, i.Bytes, i.Width, i.Height)
}

// KeepImage notes how far an image is, extends the lease of the turn that
// makes it, and tells whether that turn shall end. A turn that has ended is ErrNotFound.
func (q *Queries) KeepImage(ctx context.Context, accountID, imageID, turnID string, progress int, lease time.Duration) (cancel bool, err error) {
	err = q.get(ctx, &cancel, `
		with noted as (
			update images
			set progress = $4
			where account_id = $1 and image_id = $2 and state = 'waiting'
		)
		update turns
		set lease_until = `+leaseOf("$5")+`
		where account_id = $1 and turn_id = $3 and state = 'running'
		returning cancel_requested`,
		accountID, imageID, turnID, progress, lease.Microseconds())
	return cancel, err
}

// AttachImage makes a message show an image.
func (q *Queries) AttachImage(ctx context.Context, accountID, conversationID, messageID, imageID string) error {
	return q.execOne(ctx, `
		update messages
		set image_id = $4
		where account_id = $1 and conversation_id = $2 and message_id = $3`,
		accountID, conversationID, messageID, imageID)
}

// SetAvatar makes an image the agent's avatar and returns the one before it, "" when there was none.
func (q *Queries) SetAvatar(ctx context.Context, accountID, agentID, imageID string) (string, error) {
	var before string
	err := q.get(ctx, &before, `
		update agents a
		set avatar_id = $3
		from (select avatar_id from agents where account_id = $1 and agent_id = $2 for no key update) old
		where a.account_id = $1 and a.agent_id = $2
		returning coalesce(old.avatar_id, '')`,
		accountID, agentID, imageID)
	return before, err
}

// DeleteImage removes an image and orders the removal of its blob.
func (q *Queries) DeleteImage(ctx context.Context, accountID, imageID string, at time.Time) error {
	return q.execOne(ctx, `
		with gone as (
			delete from images
			where account_id = $1 and image_id = $2
			returning image_id
		), `+removals+`
		select 1 from gone`,
		accountID, imageID, at)
}

// removals enqueues the removal of the blobs of images that are gone, at $3.
const removals = `removal as (
			insert into jobs (account_id, job_id, kind, args, max_attempts, run_at, created_at)
			select $1, 'job_' || image_id, '` + RemoveImageJob + `', jsonb_build_object('image_id', image_id), 20, $3, $3
			from gone
			on conflict do nothing
		)`

// EraseImages removes the images of an app or an end user that belong to no
// conversation, made up to a time; of the account, all of them.
func (q *Queries) EraseImages(ctx context.Context, accountID, scope, subject string, until time.Time) error {
	_, err := q.exec(ctx, `
		with gone as (
			delete from images
			where account_id = $1 and created_at <= $3 and ($2::text = 'account'
				or ($2::text = 'app' and app_id = $4 and purpose <> 'avatar') or ($2::text = 'end_user' and end_user = $4))
			returning image_id
		), `+removals+`
		select 1 from gone`,
		accountID, scope, until, subject)
	return err
}
