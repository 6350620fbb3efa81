package db

import (
	"context"
	"time"

	"github.com/jmoiron/sqlx/types"
	"github.com/lib/pq"
)

// Project is an agent of the projects surface with content of its own.
type Project struct {
	AccountID     string         `db:"account_id"`
	ID            int64          `db:"project_id"`
	Name          string         `db:"name"`
	SitemapPath   *string        `db:"sitemap_path"` // as it was given; nil without a site
	CollectionID  string         `db:"collection_id"`
	KeepsFiles    bool           `db:"keeps_files"` // uploads stay after they were indexed
	Shared        bool           `db:"shared"`
	Slug          *string        `db:"slug"` // 32 hexadecimal digits; nil while it was never shared
	Licensed      bool           `db:"licensed"`
	Settings      types.JSONText `db:"settings"`       // what differs from the defaults
	RetentionDays *int           `db:"retention_days"` // of conversations; nil keeps them
	CreatedBy     int64          `db:"created_by"`     // the number of who made it
	CreatedAt     time.Time      `db:"created_at"`
	UpdatedAt     time.Time      `db:"updated_at"`
}

const projectColumns = `account_id, project_id, name, sitemap_path, collection_id, keeps_files, shared, slug, licensed,
	settings, retention_days, created_by, created_at, updated_at`

// InsertProject stores a project.
func (q *Queries) InsertProject(ctx context.Context, p Project) error {
	_, err := q.exec(ctx, `
		insert into projects (`+projectColumns+`)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		on conflict (account_id, project_id) do nothing`,
		p.AccountID, p.ID, p.Name, p.SitemapPath, p.CollectionID, p.KeepsFiles, p.Shared, p.Slug, p.Licensed,
		p.Settings, p.RetentionDays, p.CreatedBy, p.CreatedAt, p.UpdatedAt)
	return err
}

// Project returns one project of the account.
func (q *Queries) Project(ctx context.Context, accountID string, projectID int64) (Project, error) {
	var p Project
	err := q.get(ctx, &p, `
		select `+projectColumns+`
		from projects
		where account_id = $1 and project_id = $2`,
		accountID, projectID)
	return p, err
}

// LockProject is Project for changing it: others that change it wait for the end of the transaction.
func (q *Queries) LockProject(ctx context.Context, accountID string, projectID int64) (Project, error) {
	var p Project
	err := q.get(ctx, &p, `
		select `+projectColumns+`
		from projects
		where account_id = $1 and project_id = $2
		for update`,
		accountID, projectID)
	return p, err
}

// UpdateProject stores what may change of a project.
func (q *Queries) UpdateProject(ctx context.Context, p Project) error {
	return q.execOne(ctx, `
		update projects
		set name = $3, sitemap_path = $4, keeps_files = $5, shared = $6, slug = $7, licensed = $8, settings = $9,
			retention_days = $10, updated_at = $11
		where account_id = $1 and project_id = $2`,
		p.AccountID, p.ID, p.Name, p.SitemapPath, p.KeepsFiles, p.Shared, p.Slug, p.Licensed, p.Settings,
		p.RetentionDays, p.UpdatedAt)
}

// ConversationsProjectKey is the constraint that a conversation without its project breaks.
const ConversationsProjectKey = "project_conversations_project_fkey"

// DeleteProject removes a project. Its conversations have to be removed before:
// with one left it is a ConflictError of ConversationsProjectKey.
func (q *Queries) DeleteProject(ctx context.Context, accountID string, projectID int64) error {
	return q.execOne(ctx, `
		delete from projects
		where account_id = $1 and project_id = $2`,
		accountID, projectID)
}

// ListFilter picks a page of a list that is ordered by numbers, which grow with time.
type ListFilter struct {
	Name      string // only what has it in its name, whatever the case; "" for all
	Ascending bool   // the oldest first
	Offset    int
	Limit     int
}

// order is the direction in SQL.
func (f ListFilter) order() string {
	if f.Ascending {
		return "asc"
	}
	return "desc"
}

// Projects lists projects.
func (q *Queries) Projects(ctx context.Context, accountID string, f ListFilter) ([]Project, error) {
	projects := []Project{}
	err := q.list(ctx, &projects, `
		select `+projectColumns+`
		from projects
		where account_id = $1 and ($2 = '' or position(lower($2) in lower(name)) > 0)
		order by project_id `+f.order()+`
		offset $3 limit $4`,
		accountID, f.Name, f.Offset, f.Limit)
	return projects, err
}

// CountProjects counts the projects that have a text in their names; "" counts all.
func (q *Queries) CountProjects(ctx context.Context, accountID, name string) (int64, error) {
	var n int64
	err := q.get(ctx, &n, `
		select count(*)
		from projects
		where account_id = $1 and ($2 = '' or position(lower($2) in lower(name)) > 0)`,
		accountID, name)
	return n, err
}

// CountQueries counts the messages that were answered: of one project, or of all with 0.
func (q *Queries) CountQueries(ctx context.Context, accountID string, projectID int64) (int64, error) {
	var n int64
	err := q.get(ctx, &n, `
		select count(*)
		from project_conversations c
		join turns t on t.account_id = $1 and t.conversation_id = c.session_id
		where c.account_id = $1 and ($2::bigint = 0 or c.project_id = $2) and t.state = 'completed'`,
		accountID, projectID)
	return n, err
}

// CountProjectWords counts the indexed words of all projects.
func (q *Queries) CountProjectWords(ctx context.Context, accountID string) (int64, error) {
	var n int64
	err := q.get(ctx, &n, `
		select coalesce(sum(g.words), 0)::bigint
		from projects p
		join pages g on g.account_id = p.account_id and g.collection_id = p.collection_id
		where p.account_id = $1`,
		accountID)
	return n, err
}

// ReadyCollections returns which of some collections can be answered from.
func (q *Queries) ReadyCollections(ctx context.Context, accountID string, collectionIDs []string) ([]string, error) {
	ready := []string{}
	err := q.list(ctx, &ready, `
		select collection_id
		from collections
		where account_id = $1 and collection_id = any($2) and ready_at is not null and not deleting`,
		accountID, pq.Array(collectionIDs))
	return ready, err
}

// FileByNumber returns the page of a kept file of the account by its number.
func (q *Queries) FileByNumber(ctx context.Context, accountID string, number int64) (Page, error) {
	var p Page
	err := q.get(ctx, &p, `
		select `+pageColumns+`
		from pages p
		where account_id = $1 and number = $2 and is_file and file_kept and `+notHidden,
		accountID, number)
	return p, err
}

// RetainingProjects returns the projects, of all accounts, that keep their
// conversations for a time only. Whose they are is not known before.
func (q *Queries) RetainingProjects(ctx context.Context) ([]Project, error) {
	projects := []Project{}
	err := q.list(ctx, &projects, `
		select `+projectColumns+`
		from projects
		where retention_days is not null`)
	return projects, err
}

// ProjectImage is a picture whose bytes are in the blob store.
type ProjectImage struct {
	AccountID string    `db:"account_id"`
	ID        int64     `db:"file_id"`
	BlobID    string    `db:"blob_id"`
	MediaType string    `db:"media_type"`
	Bytes     int64     `db:"bytes"`
	CreatedAt time.Time `db:"created_at"`
}

// InsertProjectImage stores where a picture is.
func (q *Queries) InsertProjectImage(ctx context.Context, i ProjectImage) error {
	_, err := q.exec(ctx, `
		insert into project_images (account_id, file_id, blob_id, media_type, bytes, created_at)
		values ($1, $2, $3, $4, $5, $6)
		on conflict (account_id, file_id) do nothing`,
		i.AccountID, i.ID, i.BlobID, i.MediaType, i.Bytes, i.CreatedAt)
	return err
}

// ProjectImage returns where a picture of the account is.
func (q *Queries) ProjectImage(ctx context.Context, accountID string, fileID int64) (ProjectImage, error) {
	var i ProjectImage
	err := q.get(ctx, &i, `
		select account_id, file_id, blob_id, media_type, bytes, created_at
		from project_images
		where account_id = $1 and file_id = $2`,
		accountID, fileID)
	return i, err
}

// DeleteProjectImage removes a picture's row. Its blob is removed after.
func (q *Queries) DeleteProjectImage(ctx context.Context, accountID string, fileID int64) error {
	_, err := q.exec(ctx, `
		delete from project_images
		where account_id = $1 and file_id = $2`,
		accountID, fileID)
	return err
}

// ProjectProfile is whom the surface shows for an account.
type ProjectProfile struct {
	AccountID string    `db:"account_id"`
	Name      string    `db:"name"`
	ImageID   *int64    `db:"image_id"`
	UpdatedAt time.Time `db:"updated_at"`
}

// ProjectProfile returns whom the surface shows for an account; ErrNotFound before anybody changed it.
func (q *Queries) ProjectProfile(ctx context.Context, accountID string) (ProjectProfile, error) {
	var p ProjectProfile
	err := q.get(ctx, &p, `
		select account_id, name, image_id, updated_at
		from project_profiles
		where account_id = $1`,
		accountID)
	return p, err
}

// PutProjectProfile stores whom the surface shows for an account.
func (q *Queries) PutProjectProfile(ctx context.Context, p ProjectProfile) error {
	_, err := q.exec(ctx, `
		insert into project_profiles (account_id, name, image_id, updated_at)
		values ($1, $2, $3, $4)
		on conflict (account_id) do update
		set name = excluded.name, image_id = excluded.image_id, updated_at = excluded.updated_at`,
		p.AccountID, p.Name, p.ImageID, p.UpdatedAt)
	return err
}
