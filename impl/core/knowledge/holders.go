package knowledge

import (
	"context"
	"errors"
	"strings"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/turn"
)

// Holder is who answers from knowledge: an agent or an app.
type Holder struct{ Kind, ID string } // db.HolderAgent or db.HolderApp

// Agent is the holder with an agent's id.
func Agent(agentID string) Holder { return Holder{db.HolderAgent, agentID} }

// App is the holder with an app's id.
func App(appID string) Holder { return Holder{db.HolderApp, appID} }

// own is the id of the collection that the holder alone answers from. It follows
// from the holder's, so that two first uploads at once make one.
func (h Holder) own() string { return id.Collection + h.Kind + "_" + h.ID }

var (
	errNoHolder   = fault.New(fault.NotFound, "Agent not found")
	errNoDocument = fault.New(fault.NotFound, "Document not found")
	errNoSite     = fault.New(fault.NotFound, "Site not found")
)

const (
	// documentsMax and sitesMax are how many a holder may have.
	documentsMax = 10_000
	sitesMax     = 100
)

// open makes the holder's own collection, unless it is there. A holder that is not there is a NotFound fault.
func (s *Service) open(ctx context.Context, accountID string, h Holder) error {
	_, err := s.DB.Collection(ctx, accountID, h.own())
	if err == nil || !errors.Is(err, db.ErrNotFound) {
		return err
	}
	c := db.Collection{AccountID: accountID, ID: h.own(), Name: h.ID, CreatedAt: s.Now()}
	err = s.DB.InTx(ctx, func(q *db.Queries) error {
		if err := q.MarkHolder(ctx, accountID, h.Kind, h.ID); err != nil {
			return err
		}
		if err := q.InsertCollection(ctx, c); err != nil {
			return err
		}
		return q.LinkCollection(ctx, accountID, h.Kind, h.ID, c.ID)
	})
	return missing(err, errNoHolder)
}

// Release removes what a holder that goes had to itself, in the transaction of its removal.
func (s *Service) Release(ctx context.Context, q *db.Queries, accountID string, h Holder) error {
	err := q.HideCollection(ctx, accountID, h.own())
	if errors.Is(err, db.ErrNotFound) {
		return nil // it had nothing
	}
	if err != nil {
		return err
	}
	return s.enqueueRemoval(ctx, q, accountID, removalArgs{CollectionID: h.own()})
}

// AddDocument stores an upload for a holder and begins to index it. A file over
// the ceiling is a TooLarge fault, one too many Invalid, a holder that is not there NotFound.
func (s *Service) AddDocument(ctx context.Context, accountID string, h Holder, f File) (db.Page, error) {
	if err := s.open(ctx, accountID, h); err != nil {
		return db.Page{}, err
	}
	counts, err := s.DB.CountPages(ctx, accountID, h.own(), "")
	if err != nil {
		return db.Page{}, err
	}
	if counts.Found >= documentsMax {
		return db.Page{}, fault.New(fault.Invalid, "There are at most %d documents.", documentsMax)
	}
	f.Keep = true // so that it can be indexed anew
	p, err := s.AddFile(ctx, accountID, h.own(), f)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return p, errNoHolder // it went meanwhile
	}
	return p, err
}

// Documents lists a holder's uploads, the newest first, from before an id ("" from the newest).
func (s *Service) Documents(ctx context.Context, accountID string, h Holder, beforeID string, offset, limit int) ([]db.Page, error) {
	return s.DB.Files(ctx, accountID, h.own(), beforeID, offset, limit)
}

// Document returns an upload of a holder; any other is a NotFound fault.
func (s *Service) Document(ctx context.Context, accountID string, h Holder, documentID string) (db.Page, error) {
	p, err := s.DB.Page(ctx, accountID, documentID)
	if errors.Is(err, db.ErrNotFound) || err == nil && (p.CollectionID != h.own() || !p.IsFile) {
		return db.Page{}, errNoDocument
	}
	return p, err
}

// DeleteDocument removes an upload of a holder: its passages and its file.
func (s *Service) DeleteDocument(ctx context.Context, accountID string, h Holder, documentID string) error {
	if _, err := s.Document(ctx, accountID, h, documentID); err != nil {
		return err
	}
	err := s.DeletePage(ctx, accountID, documentID)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return errNoDocument
	}
	return err
}

// Text is a text as a file.
func Text(name, text string) File {
	return File{Name: name, Type: "text/plain; charset=utf-8", Content: strings.NewReader(text)}
}

// The statuses of documents and sites.
const (
	statusQueued, statusReading = "queued", "reading"
	statusReady, statusFailed   = "ready", "failed"
)

// StatusOf is whether an upload is waiting ("queued"), can be answered from ("ready") or never will ("failed").
func StatusOf(p db.Page) string {
	switch {
	case p.IndexState == db.PageOK:
		return statusReady
	case p.IndexState == db.PageQueued && p.CrawlState != db.PageFailed:
		return statusQueued
	}
	return statusFailed
}

// HeldSite is a site of a holder with what became of its pages.
type HeldSite struct {
	db.Source
	db.PageCounts
}

// Status is whether the site is being read ("reading"), has been ("ready") or could not be ("failed").
func (h HeldSite) Status() string {
	switch h.State {
	case db.SourceReady:
		return statusReady
	case db.SourceFailed:
		return statusFailed
	}
	return statusReading
}

// AddHeldSite stores a site for a holder, to be read anew as often as refresh says, and begins to read it. One
// too many is an Invalid fault, a holder that is not there NotFound.
func (s *Service) AddHeldSite(ctx context.Context, accountID string, h Holder, url, refresh string) (HeldSite, error) {
	if err := s.open(ctx, accountID, h); err != nil {
		return HeldSite{}, err
	}
	sites, err := s.heldSources(ctx, accountID, h)
	if err != nil {
		return HeldSite{}, err
	}
	if len(sites) >= sitesMax {
		return HeldSite{}, fault.New(fault.Invalid, "There are at most %d sites.", sitesMax)
	}
	set := DefaultSettings
	set.Refresh, set.RemoveMissingPages = refresh, true
	source, err := s.AddSite(ctx, accountID, h.own(), url, set)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		err = errNoHolder // it went meanwhile
	}
	return HeldSite{Source: source}, err
}

func (s *Service) heldSources(ctx context.Context, accountID string, h Holder) ([]db.Source, error) {
	all, err := s.DB.Sources(ctx, accountID, h.own())
	var sites []db.Source
	for _, source := range all {
		if source.Kind == db.SourceSite {
			sites = append(sites, source)
		}
	}
	return sites, err
}

// HeldSites lists a holder's sites.
func (s *Service) HeldSites(ctx context.Context, accountID string, h Holder) ([]HeldSite, error) {
	sources, err := s.heldSources(ctx, accountID, h)
	if err != nil {
		return nil, err
	}
	sites := make([]HeldSite, len(sources))
	for i, source := range sources {
		sites[i].Source = source
		if sites[i].PageCounts, err = s.DB.CountPages(ctx, accountID, h.own(), source.ID); err != nil {
			return nil, err
		}
	}
	return sites, nil
}

// DeleteHeldSite removes a site of a holder with its pages; any other is a NotFound fault.
func (s *Service) DeleteHeldSite(ctx context.Context, accountID string, h Holder, siteID string) error {
	source, err := s.DB.Source(ctx, accountID, siteID)
	if errors.Is(err, db.ErrNotFound) || err == nil && (source.CollectionID != h.own() || source.Kind != db.SourceSite) {
		return errNoSite
	}
	if err != nil {
		return err
	}
	return s.DeleteSource(ctx, accountID, siteID)
}

// For finds what an answer is made from: the knowledge of its agent, and of the
// caller's app where that is who answers. It is the turn.Engine's Knowledge, the
// one place where surfaces without a rule of their own get their knowledge.
func (s *Service) For(ctx context.Context, in turn.Input) (*turn.Knowledge, error) {
	agentID, appID, question, history := "", "", in.Question, in.History
	if in.Agent != nil && in.Agent.Knows {
		agentID = in.Agent.ID
	}
	if in.ForApp && in.Caller.AppKnows {
		appID = in.Caller.AppID
	}
	if question == "" && len(history) > 0 {
		question, history = history[len(history)-1].Content, history[:len(history)-1]
	}
	if agentID == "" && appID == "" || question == "" {
		return nil, nil
	}
	scope, err := s.ScopeOf(ctx, in.Caller.AccountID, agentID, appID)
	if err != nil {
		return nil, err
	}
	found, err := s.Search(ctx, scope, Query{Question: question, History: history, Caller: in.Caller})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &turn.Knowledge{Passages: Offered(found), Unmarked: !in.Cites}, nil
}
