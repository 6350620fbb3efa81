package project

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/knowledge"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

// addContent begins to read a site and a file, where they are given.
func (s *Service) addContent(ctx context.Context, p db.Project, site *string, f *File) (db.Source, error) {
	var source db.Source
	var err error
	if site != nil && *site != "" {
		if source, err = s.Knowledge.AddSite(ctx, p.AccountID, p.CollectionID, *site, knowledge.DefaultSettings); err != nil {
			return source, err
		}
	}
	if f == nil {
		return source, nil
	}
	page, err := s.Knowledge.AddFile(ctx, p.AccountID, p.CollectionID, knowledge.File{Name: f.Name, Type: f.Type, Keep: p.KeepsFiles, Content: f.Content()})
	if err != nil {
		return source, err
	}
	return s.Knowledge.Source(ctx, p.AccountID, page.SourceID)
}

// IsActive tells which of some projects can answer from their content.
func (s *Service) IsActive(ctx context.Context, accountID string, projects ...db.Project) (map[int64]bool, error) {
	ids := make([]string, len(projects))
	for i, p := range projects {
		ids[i] = p.CollectionID
	}
	ready, err := s.DB.ReadyCollections(ctx, accountID, ids)
	if err != nil {
		return nil, err
	}
	active := map[int64]bool{}
	for _, p := range projects {
		for _, collectionID := range ready {
			active[p.ID] = active[p.ID] || collectionID == p.CollectionID
		}
	}
	return active, nil
}

// WidgetKeys returns the texts of the publishable keys that pages embed projects
// with, by the project's number, for those that have one.
func (s *Service) WidgetKeys(ctx context.Context, accountID string, projects ...db.Project) (map[int64]string, error) {
	ids := make([]int64, len(projects))
	for i, p := range projects {
		ids[i] = p.ID
	}
	published, err := s.DB.PublishedKeys(ctx, accountID, ids, s.Now())
	keys := map[int64]string{}
	for _, k := range published {
		keys[k.ProjectID] = k.Text
	}
	return keys, err
}

// passagesShown bounds how many passages an answer is made from.
const passagesShown = 6

// knowledgeFor is what a question is answered from, as the settings have it; of none for the model's knowledge alone.
func (s *Service) knowledgeFor(ctx context.Context, p db.Project, set Settings, q Question, history []provider.Message) (*turn.Knowledge, error) {
	source := set.ResponseSource
	if q.ResponseSource != "" {
		source = q.ResponseSource
	}
	if source == SourceModel {
		return &turn.Knowledge{}, nil
	}
	found, err := s.Knowledge.Search(ctx, knowledge.Scope{AccountID: p.AccountID, Collections: []string{p.CollectionID}},
		knowledge.Query{Question: q.Prompt, History: history, Limit: passagesShown, Caller: q.Caller})
	if err != nil {
		return nil, err
	}
	k := &turn.Knowledge{Passages: knowledge.Offered(found), Only: source == SourceOwn, NoAnswer: set.NoAnswerMessage}
	for i := range k.Passages {
		k.Passages[i].ID = strconv.FormatInt(found[i].Number, 10) // what citations of this surface are
	}
	k.Unmarked = !q.Inline && !set.EnableInlineCitationsAPI
	return k, nil
}

// Pages returns a page of a project's pages and how many there are on all of them.
func (s *Service) Pages(ctx context.Context, p db.Project, f db.PageFilter) ([]db.Page, int64, error) {
	f.CollectionID = p.CollectionID
	n, err := s.DB.PagesTotal(ctx, p.AccountID, f)
	if err != nil {
		return nil, 0, err
	}
	rows, err := s.DB.Pages(ctx, p.AccountID, f)
	return rows, n, err
}

// Page returns a page of a project; any other is a NotFound fault.
func (s *Service) Page(ctx context.Context, accountID string, projectID, pageID int64) (db.Page, error) {
	p, err := s.Get(ctx, accountID, projectID)
	if err != nil {
		return db.Page{}, err
	}
	page, err := s.DB.PageByNumber(ctx, accountID, p.CollectionID, pageID)
	if errors.Is(err, db.ErrNotFound) {
		return db.Page{}, fault.New(fault.NotFound, "Page with id %d not found", pageID)
	}
	return page, err
}

// DeletePage removes a page with its file.
func (s *Service) DeletePage(ctx context.Context, accountID string, projectID, pageID int64) error {
	page, err := s.Page(ctx, accountID, projectID, pageID)
	if err != nil {
		return err
	}
	return s.Knowledge.DeletePage(ctx, accountID, page.ID)
}

// Reindex reads a page anew. A file that was not kept is a Forbidden fault.
func (s *Service) Reindex(ctx context.Context, accountID string, projectID, pageID int64) error {
	page, err := s.Page(ctx, accountID, projectID, pageID)
	if err != nil {
		return err
	}
	return refused(s.Knowledge.Reindex(ctx, accountID, page.ID))
}

// refused words a conflict as clients of this API know it: it is forbidden at the moment.
func refused(err error) error {
	if err != nil && fault.KindOf(err) == fault.Conflict {
		return fault.New(fault.Forbidden, "%s", fault.From(err).Message)
	}
	return err
}

// SetMetadata says what citations show of a page.
func (s *Service) SetMetadata(ctx context.Context, accountID string, projectID, pageID int64, m knowledge.Metadata) (db.Page, error) {
	page, err := s.Page(ctx, accountID, projectID, pageID)
	if err != nil {
		return db.Page{}, err
	}
	if _, err := s.Knowledge.SetMetadata(ctx, accountID, page.ID, m); err != nil {
		return db.Page{}, err
	}
	return s.Page(ctx, accountID, projectID, pageID)
}

// Source is a source with what there is of its pages.
type Source struct {
	db.Source
	Pages []db.Page
}

// sourcePages bounds how many of a source's pages are shown with it.
const sourcePages = 100

// sourceOf returns a source with its latest pages.
func (s *Service) sourceOf(ctx context.Context, p db.Project, source db.Source) (Source, error) {
	pages, err := s.DB.Pages(ctx, p.AccountID, db.PageFilter{CollectionID: p.CollectionID, SourceID: source.ID, Limit: sourcePages})
	return Source{Source: source, Pages: pages}, err
}

// Sources lists where a project's content comes from: sites, and uploads, which are nil before the first.
func (s *Service) Sources(ctx context.Context, p db.Project) (sites []Source, uploads *Source, err error) {
	rows, err := s.DB.Sources(ctx, p.AccountID, p.CollectionID)
	if err != nil {
		return nil, nil, err
	}
	sites = []Source{}
	for _, row := range rows {
		source, err := s.sourceOf(ctx, p, row)
		if err != nil {
			return nil, nil, err
		}
		if row.Kind == db.SourceUpload {
			uploads = &source
		} else {
			sites = append(sites, source)
		}
	}
	return sites, uploads, nil
}

// AddSource adds a site or a file to a project and begins to read it.
func (s *Service) AddSource(ctx context.Context, p db.Project, site string, f *File) (Source, error) {
	if site == "" && f == nil {
		return Source{}, errNoContent
	}
	source, err := s.addContent(ctx, p, &site, f)
	if err != nil {
		return Source{}, err
	}
	return s.sourceOf(ctx, p, source)
}

// errNoContent says that neither a site nor a file was given.
var errNoContent = fault.New(fault.Invalid, "Either sitemap_path or file is required.")

// source returns a source of a project; any other is a NotFound fault.
func (s *Service) source(ctx context.Context, accountID string, projectID, sourceID int64) (db.Project, db.Source, error) {
	p, err := s.Get(ctx, accountID, projectID)
	if err != nil {
		return p, db.Source{}, err
	}
	source, err := s.DB.SourceByNumber(ctx, accountID, p.CollectionID, sourceID)
	if errors.Is(err, db.ErrNotFound) {
		return p, source, fault.New(fault.NotFound, "Source with id %d not found", sourceID)
	}
	return p, source, err
}

// Configure lets edit change when a source is read anew.
func (s *Service) Configure(ctx context.Context, accountID string, projectID, sourceID int64, edit func(*knowledge.SourceSettings)) (Source, error) {
	p, source, err := s.source(ctx, accountID, projectID, sourceID)
	if err != nil {
		return Source{}, err
	}
	set := knowledge.SettingsOf(source)
	edit(&set)
	if source, err = s.Knowledge.Configure(ctx, accountID, source.ID, set); err != nil {
		return Source{}, err
	}
	return s.sourceOf(ctx, p, source)
}

// DeleteSource removes a source with its pages.
func (s *Service) DeleteSource(ctx context.Context, accountID string, projectID, sourceID int64) error {
	_, source, err := s.source(ctx, accountID, projectID, sourceID)
	if err != nil {
		return err
	}
	return s.Knowledge.DeleteSource(ctx, accountID, source.ID)
}

// Sync begins to read a site anew. One that is being read, and uploads, are Forbidden faults.
func (s *Service) Sync(ctx context.Context, accountID string, projectID, sourceID int64) (Source, error) {
	p, source, err := s.source(ctx, accountID, projectID, sourceID)
	if err != nil {
		return Source{}, err
	}
	if source, err = s.Knowledge.Sync(ctx, accountID, source.ID); err != nil {
		return Source{}, refused(err)
	}
	return s.sourceOf(ctx, p, source)
}

// previewOfPage opens a kept file. What a browser could carry out is told to be bytes.
func (s *Service) previewOfPage(ctx context.Context, accountID string, fileID int64) (Preview, error) {
	errMissing := fault.New(fault.NotFound, "File with id %d not found", fileID)
	page, err := s.DB.FileByNumber(ctx, accountID, fileID)
	if errors.Is(err, db.ErrNotFound) {
		return Preview{}, errMissing
	}
	if err != nil {
		return Preview{}, err
	}
	content, err := s.Knowledge.Open(ctx, page)
	if err != nil {
		return Preview{}, errMissing.Because(err)
	}
	return Preview{MediaType: shownType(page.FileType), Name: page.FileName, Bytes: page.FileBytes, Content: content}, nil
}

// shownType is the type under which a file is sent: its own where it is harmless.
func shownType(declared string) string {
	kind, _, _ := strings.Cut(strings.ToLower(declared), ";")
	if kind = strings.TrimSpace(kind); kind == "application/pdf" {
		return kind
	}
	return "application/octet-stream"
}
