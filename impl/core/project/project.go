// Package project keeps projects: agents that answer from content of their own.
// A project is a persona with settings, a collection of knowledge, and the
// conversations that are had with it. How answers are made is the business of
// packages turn and knowledge.
package project

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"parley/db"
	"parley/impl/blobs"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/knowledge"
	"parley/impl/core/model"
	"parley/impl/core/turn"
)

// Surface is the name under which conversations and turns of projects are stored.
const Surface = "projects"

// ProjectsMax is how many projects an account may have.
const ProjectsMax = 1000

// Service makes, reads and deletes projects.
type Service struct {
	DB            *db.DB
	Models        *model.Catalog
	Conversations *conversation.Service
	Turns         *turn.Engine
	Knowledge     *knowledge.Service
	Blobs         *blobs.Store
	Now           func() time.Time
	// Stopping tells that the server shuts down: streams then end early, to be resumed from another. nil: it never does.
	Stopping func() bool
}

// Number is the number that a surface with integers for ids shows for one of
// our own: 53 bits, always the same.
func Number(text string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(text)) // never fails
	return int64(h.Sum64()>>11) | 1
}

// UserNumber is the number of who sends a request: the person, or the account for its keys.
func UserNumber(c key.Caller) int64 {
	if c.By == "user" {
		return Number(c.KeyID)
	}
	return Number(c.AccountID)
}

func missing(projectID int64) error {
	return fault.New(fault.NotFound, "Project with id %d not found", projectID)
}

// CreateInput describes a project to make.
type CreateInput struct {
	Caller      key.Caller
	Name        string
	SitemapPath string // "" without a site
	File        *File  // nil without a file
	KeepsFiles  bool
}

// Create stores a project and begins to read its content. One without content,
// and one more than an account may have, are Invalid faults.
func (s *Service) Create(ctx context.Context, in CreateInput) (db.Project, error) {
	if in.SitemapPath == "" && in.File == nil {
		return db.Project{}, errNoContent
	}
	n, err := s.DB.CountProjects(ctx, in.Caller.AccountID, "")
	if err != nil {
		return db.Project{}, err
	}
	if n >= ProjectsMax {
		return db.Project{}, fault.New(fault.Invalid, "The limit of %d projects is reached.", ProjectsMax)
	}
	now := s.Now()
	p := db.Project{
		AccountID: in.Caller.AccountID, ID: id.Number(), Name: strings.TrimSpace(in.Name), KeepsFiles: in.KeepsFiles,
		Settings: []byte("{}"), CreatedBy: UserNumber(in.Caller), CreatedAt: now, UpdatedAt: now,
	}
	if in.SitemapPath != "" {
		p.SitemapPath = &in.SitemapPath
	}
	if p, err = s.store(ctx, p); err != nil {
		return db.Project{}, err
	}
	if _, err := s.addContent(ctx, p, p.SitemapPath, in.File); err != nil {
		return db.Project{}, errors.Join(err, s.Delete(context.WithoutCancel(ctx), p.AccountID, p.ID))
	}
	return p, nil
}

// store stores a new project with a collection of its own.
func (s *Service) store(ctx context.Context, p db.Project) (db.Project, error) {
	c, err := s.Knowledge.Create(ctx, p.AccountID, truncated(p.Name))
	if err != nil {
		return p, err
	}
	p.CollectionID = c.ID
	return p, s.DB.InsertProject(ctx, p)
}

// truncated is a name as collections may have one.
func truncated(name string) string {
	runes := []rune(name)
	return string(runes[:min(len(runes), collectionNameMax)])
}

// collectionNameMax is how long the name of a collection may be.
const collectionNameMax = 200

// Get returns a project of the account; any other is a NotFound fault.
func (s *Service) Get(ctx context.Context, accountID string, projectID int64) (db.Project, error) {
	p, err := s.DB.Project(ctx, accountID, projectID)
	if errors.Is(err, db.ErrNotFound) {
		return db.Project{}, missing(projectID)
	}
	return p, err
}

// Change is what changes of a project; nil fields stay as they are.
type Change struct {
	Name        *string
	SitemapPath *string
	File        *File
	KeepsFiles  *bool
	Shared      *bool
	Licensed    *bool
}

// Update changes a project, and begins to read what is added to its content. One
// that is shared for the first time gets a slug, which it keeps.
func (s *Service) Update(ctx context.Context, accountID string, projectID int64, c Change) (db.Project, error) {
	p, err := s.update(ctx, accountID, projectID, c)
	if err != nil {
		return p, err
	}
	_, err = s.addContent(ctx, p, c.SitemapPath, c.File)
	return p, err
}

func (s *Service) update(ctx context.Context, accountID string, projectID int64, c Change) (db.Project, error) {
	return s.change(ctx, accountID, projectID, func(_ *db.Queries, p *db.Project) error {
		if c.Name != nil {
			p.Name = strings.TrimSpace(*c.Name)
		}
		if c.SitemapPath != nil && *c.SitemapPath != "" {
			p.SitemapPath = c.SitemapPath
		}
		if c.KeepsFiles != nil {
			p.KeepsFiles = *c.KeepsFiles
		}
		if c.Licensed != nil {
			p.Licensed = *c.Licensed
		}
		if c.Shared != nil {
			p.Shared = *c.Shared
		}
		if p.Shared && p.Slug == nil {
			slug := newSlug()
			p.Slug = &slug
		}
		return nil
	})
}

func newSlug() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(raw[:])
}

// change lets edit change a project while nobody else does.
func (s *Service) change(ctx context.Context, accountID string, projectID int64, edit func(*db.Queries, *db.Project) error) (db.Project, error) {
	var p db.Project
	err := s.DB.InTx(ctx, func(q *db.Queries) error {
		var err error
		if p, err = q.LockProject(ctx, accountID, projectID); err != nil {
			return err
		}
		if err := edit(q, &p); err != nil {
			return err
		}
		p.UpdatedAt = s.Now()
		return q.UpdateProject(ctx, p)
	})
	if errors.Is(err, db.ErrNotFound) {
		return db.Project{}, missing(projectID)
	}
	return p, err
}

// List returns a page of projects and how many there are on all pages.
func (s *Service) List(ctx context.Context, accountID string, f db.ListFilter) ([]db.Project, int64, error) {
	n, err := s.DB.CountProjects(ctx, accountID, f.Name)
	if err != nil {
		return nil, 0, err
	}
	rows, err := s.DB.Projects(ctx, accountID, f)
	return rows, n, err
}

// Delete removes a project with its conversations and its content.
func (s *Service) Delete(ctx context.Context, accountID string, projectID int64) error {
	p, err := s.Get(ctx, accountID, projectID)
	if err != nil {
		return err
	}
	if err := s.eraseConversations(ctx, p, ""); err != nil {
		return err
	}
	if err := s.Knowledge.Delete(ctx, accountID, p.CollectionID); err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	err = s.DB.DeleteProject(ctx, accountID, projectID)
	var conflict *db.ConflictError
	switch {
	case errors.Is(err, db.ErrNotFound):
		return nil // somebody else was faster
	case errors.As(err, &conflict): // a conversation was begun meanwhile
		return errBusy
	case err != nil:
		return err
	}
	return s.deleteImages(ctx, p)
}

// deleteImages removes the pictures of a project that is gone.
func (s *Service) deleteImages(ctx context.Context, p db.Project) error {
	set, err := SettingsOf(p)
	if err != nil {
		return err
	}
	var gone []*int64
	for _, pointer := range set.images() {
		gone = append(gone, *pointer)
	}
	return s.dropImages(ctx, p.AccountID, gone)
}

// Replicate makes a project with the same name, settings and sources.
func (s *Service) Replicate(ctx context.Context, caller key.Caller, projectID int64) (db.Project, error) {
	p, err := s.Get(ctx, caller.AccountID, projectID)
	if err != nil {
		return db.Project{}, err
	}
	now := s.Now()
	c := p
	c.ID, c.CreatedBy, c.CreatedAt, c.UpdatedAt, c.Shared, c.Slug = id.Number(), UserNumber(caller), now, now, false, nil
	set, err := SettingsOf(p)
	if err != nil {
		return db.Project{}, err
	}
	if err := s.copyImages(ctx, p.AccountID, &set); err != nil {
		return db.Project{}, err
	}
	if c.Settings, err = json.Marshal(set); err != nil {
		return db.Project{}, fmt.Errorf("encode settings: %w", err)
	}
	if c, err = s.store(ctx, c); err != nil {
		return db.Project{}, err
	}
	return c, s.copyContent(ctx, p, c)
}

// copyContent gives a project the sources of another, as far as they can be read again.
func (s *Service) copyContent(ctx context.Context, from, to db.Project) error {
	sites, uploads, err := s.Sources(ctx, from)
	if err != nil {
		return err
	}
	for _, site := range sites {
		if _, err := s.Knowledge.AddSite(ctx, to.AccountID, to.CollectionID, site.URL, knowledge.SettingsOf(site.Source)); err != nil {
			return err
		}
	}
	if uploads == nil {
		return nil
	}
	for _, page := range uploads.Pages {
		if err := s.copyFile(ctx, page, to); err != nil {
			return err
		}
	}
	return nil
}

// copyFile copies a file that was kept.
func (s *Service) copyFile(ctx context.Context, page db.Page, to db.Project) error {
	content, err := s.Knowledge.Open(ctx, page)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }() // it was only read
	_, err = s.Knowledge.AddFile(ctx, to.AccountID, to.CollectionID, knowledge.File{
		Name: page.FileName, Type: page.FileType, Keep: page.FileKept, Content: content,
	})
	return err
}

// Stats are figures of a project.
type Stats struct {
	Found, Crawled, Indexed, Words, Queries int64
}

// Stats counts what a project holds and answered.
func (s *Service) Stats(ctx context.Context, accountID string, projectID int64) (Stats, error) {
	p, err := s.Get(ctx, accountID, projectID)
	if err != nil {
		return Stats{}, err
	}
	pages, err := s.DB.CountPages(ctx, accountID, p.CollectionID, "")
	if err != nil {
		return Stats{}, err
	}
	queries, err := s.DB.CountQueries(ctx, accountID, p.ID)
	return Stats{Found: pages.Found, Crawled: pages.Crawled, Indexed: pages.Indexed, Words: pages.Words, Queries: queries}, err
}

// Usage is where an account stands.
type Usage struct {
	Projects, Words, Queries int64
}

// Usage counts what all projects of an account hold and answered.
func (s *Service) Usage(ctx context.Context, accountID string) (Usage, error) {
	n, err := s.DB.CountProjects(ctx, accountID, "")
	if err != nil {
		return Usage{}, err
	}
	words, err := s.DB.CountProjectWords(ctx, accountID)
	if err != nil {
		return Usage{}, err
	}
	queries, err := s.DB.CountQueries(ctx, accountID, 0)
	return Usage{Projects: n, Words: words, Queries: queries}, err
}
