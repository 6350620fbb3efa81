package db

import (
	"context"
	"time"
)

// ProjectLicense is a key under which others may run a project.
type ProjectLicense struct {
	AccountID string    `db:"account_id"`
	ProjectID int64     `db:"project_id"`
	ID        int64     `db:"license_id"`
	Name      string    `db:"name"`
	KeyHash   []byte    `db:"key_hash"` // of its key
	CreatedAt time.Time `db:"created_at"`
	UpdatedAt time.Time `db:"updated_at"`

	Conversations int64 `db:"conversations"` // that were begun with its key
	Queries       int64 `db:"queries"`       // that were asked with it
}

const licenseColumns = `account_id, project_id, license_id, name, key_hash, created_at, updated_at, conversations, queries`

// InsertProjectLicense stores a license of a project; a project that is not there is ErrNotFound.
func (q *Queries) InsertProjectLicense(ctx context.Context, l ProjectLicense) error {
	return q.execOne(ctx, `
		insert into project_licenses (account_id, project_id, license_id, name, key_hash, created_at, updated_at)
		select account_id, project_id, $3, $4, $5, $6, $6
		from projects
		where account_id = $1 and project_id = $2
		on conflict (account_id, project_id, license_id) do update
		set name = excluded.name`,
		l.AccountID, l.ProjectID, l.ID, l.Name, l.KeyHash, l.CreatedAt)
}

// ProjectLicenses lists the licenses of a project, the newest first.
func (q *Queries) ProjectLicenses(ctx context.Context, accountID string, projectID int64, limit int) ([]ProjectLicense, error) {
	found := []ProjectLicense{}
	err := q.list(ctx, &found, `
		select `+licenseColumns+`
		from project_licenses
		where account_id = $1 and project_id = $2
		order by license_id desc
		limit $3`,
		accountID, projectID, limit)
	return found, err
}

// ProjectLicense returns a license of a project.
func (q *Queries) ProjectLicense(ctx context.Context, accountID string, projectID, licenseID int64) (ProjectLicense, error) {
	var l ProjectLicense
	err := q.get(ctx, &l, `
		select `+licenseColumns+`
		from project_licenses
		where account_id = $1 and project_id = $2 and license_id = $3`,
		accountID, projectID, licenseID)
	return l, err
}

// ProjectLicenseByKey returns the license of a project whose key has the hash.
func (q *Queries) ProjectLicenseByKey(ctx context.Context, accountID string, projectID int64, keyHash []byte) (ProjectLicense, error) {
	var l ProjectLicense
	err := q.get(ctx, &l, `
		select `+licenseColumns+`
		from project_licenses
		where account_id = $1 and project_id = $2 and key_hash = $3
		limit 1`,
		accountID, projectID, keyHash)
	return l, err
}

// CountLicenseUse adds to what a license was used for. Call it inside a transaction: repeated, it counts twice.
func (q *Queries) CountLicenseUse(ctx context.Context, accountID string, projectID, licenseID int64, conversations, queries int) error {
	return q.execOne(ctx, `
		update project_licenses
		set conversations = conversations + $4, queries = queries + $5
		where account_id = $1 and project_id = $2 and license_id = $3`,
		accountID, projectID, licenseID, conversations, queries)
}

// RenameProjectLicense gives a license another name.
func (q *Queries) RenameProjectLicense(ctx context.Context, accountID string, projectID, licenseID int64, name string, at time.Time) error {
	return q.execOne(ctx, `
		update project_licenses
		set name = $4, updated_at = $5
		where account_id = $1 and project_id = $2 and license_id = $3`,
		accountID, projectID, licenseID, name, at)
}

// DeleteProjectLicense removes a license. One that is not there stays so.
func (q *Queries) DeleteProjectLicense(ctx context.Context, accountID string, projectID, licenseID int64) error {
	_, err := q.exec(ctx, `
		delete from project_licenses
		where account_id = $1 and project_id = $2 and license_id = $3`,
		accountID, projectID, licenseID)
	return err
}

// ProjectPlugin is how assistants of others could offer a project.
type ProjectPlugin struct {
	AccountID   string    `db:"account_id"`
	ProjectID   int64     `db:"project_id"`
	ID          int64     `db:"plugin_id"`
	ModelName   string    `db:"model_name"`
	HumanName   string    `db:"human_name"`
	Keywords    string    `db:"keywords"`
	Description string    `db:"description"`
	Active      bool      `db:"active"`
	CreatedAt   time.Time `db:"created_at"`
	UpdatedAt   time.Time `db:"updated_at"`
}

// ProjectPlugin returns the plugin of a project.
func (q *Queries) ProjectPlugin(ctx context.Context, accountID string, projectID int64) (ProjectPlugin, error) {
	var p ProjectPlugin
	err := q.get(ctx, &p, `
		select account_id, project_id, plugin_id, model_name, human_name, keywords, description, active, created_at, updated_at
		from project_plugins
		where account_id = $1 and project_id = $2`,
		accountID, projectID)
	return p, err
}

// PutProjectPlugin stores the plugin of a project in place of an earlier one,
// whose id and beginning stay; a project that is not there is ErrNotFound.
func (q *Queries) PutProjectPlugin(ctx context.Context, p ProjectPlugin) error {
	return q.execOne(ctx, `
		insert into project_plugins (account_id, project_id, plugin_id, model_name, human_name, keywords, description, active, created_at, updated_at)
		select account_id, project_id, $3, $4, $5, $6, $7, $8, $9, $10
		from projects
		where account_id = $1 and project_id = $2
		on conflict (account_id, project_id) do update
		set model_name = excluded.model_name, human_name = excluded.human_name, keywords = excluded.keywords,
			description = excluded.description, active = excluded.active, updated_at = excluded.updated_at`,
		p.AccountID, p.ProjectID, p.ID, p.ModelName, p.HumanName, p.Keywords, p.Description, p.Active, p.CreatedAt, p.UpdatedAt)
}
