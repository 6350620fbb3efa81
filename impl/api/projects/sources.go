package projects

import (
	"context"

	"parley/db"
	gen "parley/gen/projects"
	"parley/impl/core/knowledge"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

type sources struct {
	service *project.Service
	base    base
}

// ListProjectSources lists where a project's content comes from.
func (s sources) ListProjectSources(ctx context.Context, request gen.ListProjectSourcesRequestObject) (gen.ListProjectSourcesResponseObject, error) {
	row, err := s.service.Get(ctx, httpd.Caller(ctx).AccountID, request.ProjectID)
	if err != nil {
		return nil, err
	}
	sites, uploads, err := s.service.Sources(ctx, row)
	if err != nil {
		return nil, err
	}
	out := gen.ProjectSources{Sitemaps: make([]gen.ProjectSource, len(sites)), Uploads: noUploads(row)}
	for i, site := range sites {
		out.Sitemaps[i] = s.toAPIProjectSource(ctx, row.ID, site)
	}
	if uploads != nil {
		out.Uploads = s.toAPIProjectSource(ctx, row.ID, *uploads)
	}
	return gen.ListProjectSources200JSONResponse{Data: out, Status: success}, nil
}

// noUploads stands for the uploads of a project without any: clients want an object with settings and times.
func noUploads(p db.Project) gen.ProjectSource {
	return gen.ProjectSource{
		CreatedAt: instant(p.CreatedAt), UpdatedAt: instant(p.CreatedAt), Type: gen.ProjectSourceTypeUpload,
		Settings: toAPIProjectSourceSettings(nil, knowledge.DefaultSettings), Pages: []gen.ProjectPage{},
	}
}

// CreateProjectSource adds a site or a file.
func (s sources) CreateProjectSource(ctx context.Context, request gen.CreateProjectSourceRequestObject) (gen.CreateProjectSourceResponseObject, error) {
	body := request.JSONBody
	if err := project.CheckOptions(body.IsOcrEnabled, body.IsAnonymized); err != nil {
		return nil, err
	}
	row, err := s.service.Get(ctx, httpd.Caller(ctx).AccountID, request.ProjectID)
	if err != nil {
		return nil, err
	}
	row.KeepsFiles = row.KeepsFiles && kept(body.FileDataRetension, body.FileDataRetention)
	source, err := s.service.AddSource(ctx, row, text(body.SitemapPath), upload(ctx, "file"))
	if err != nil {
		return nil, err
	}
	return gen.CreateProjectSource201JSONResponse{Data: s.toAPIProjectSource(ctx, row.ID, source), Status: success}, nil
}

// UpdateProjectSource changes when a source is read anew. That scripts shall be
// run is passed over: clients ask for it unasked, and the answer says that they are not.
func (s sources) UpdateProjectSource(ctx context.Context, request gen.UpdateProjectSourceRequestObject) (gen.UpdateProjectSourceResponseObject, error) {
	body := request.Body
	source, err := s.service.Configure(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.SourceID, func(set *knowledge.SourceSettings) {
		fromAPIProjectSourceChange(*body, set)
	})
	if err != nil {
		return nil, err
	}
	return gen.UpdateProjectSource201JSONResponse{Data: s.toAPIProjectSource(ctx, request.ProjectID, source), Status: success}, nil
}

func fromAPIProjectSourceChange(body gen.ProjectSourceChange, set *knowledge.SourceSettings) {
	if body.DataRefreshFrequency != nil {
		set.Refresh = string(*body.DataRefreshFrequency)
	}
	if body.CreateNewPages != nil {
		set.CreateNewPages = *body.CreateNewPages
	}
	if body.RemoveUnexistPages != nil {
		set.RemoveMissingPages = *body.RemoveUnexistPages
	}
	if body.RefreshExistingPages != nil {
		set.RefreshExistingPages = string(*body.RefreshExistingPages)
	}
	if body.RefreshSchedule != nil {
		set.Schedule = nil
		for _, slot := range body.RefreshSchedule {
			days := make([]int, len(slot.Days))
			for i, day := range slot.Days {
				days[i] = int(day)
			}
			set.Schedule = append(set.Schedule, knowledge.Slot{Days: days, Hours: slot.Hours})
		}
	}
}

// DeleteProjectSource removes a source with its pages.
func (s sources) DeleteProjectSource(ctx context.Context, request gen.DeleteProjectSourceRequestObject) (gen.DeleteProjectSourceResponseObject, error) {
	if err := s.service.DeleteSource(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.SourceID); err != nil {
		return nil, err
	}
	return gen.DeleteProjectSource200JSONResponse{Data: gen.ProjectsDeletion{Deleted: true}, Status: success}, nil
}

// SyncProjectSource begins to read a site anew.
func (s sources) SyncProjectSource(ctx context.Context, request gen.SyncProjectSourceRequestObject) (gen.SyncProjectSourceResponseObject, error) {
	source, err := s.service.Sync(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.SourceID)
	if err != nil {
		return nil, err
	}
	return gen.SyncProjectSource201JSONResponse{Data: s.toAPIProjectSource(ctx, request.ProjectID, source), Status: success}, nil
}

func (s sources) toAPIProjectSource(ctx context.Context, projectID int64, source project.Source) gen.ProjectSource {
	out := gen.ProjectSource{
		ID: source.Number, CreatedAt: instant(source.CreatedAt), UpdatedAt: instant(source.UpdatedAt), Type: gen.ProjectSourceTypeSitemap,
		Settings: toAPIProjectSourceSettings(&source.URL, knowledge.SettingsOf(source.Source)), Pages: s.base.toAPIProjectPages(ctx, projectID, source.Pages),
	}
	if source.Kind == db.SourceUpload {
		out.Type, out.Settings.SitemapPath = gen.ProjectSourceTypeUpload, nil
	}
	return out
}

func toAPIProjectSourceSettings(site *string, set knowledge.SourceSettings) gen.ProjectSourceSettings {
	out := gen.ProjectSourceSettings{
		DataRefreshFrequency: gen.ProjectSourceSettingsDataRefreshFrequency(set.Refresh), CreateNewPages: set.CreateNewPages,
		RemoveUnexistPages: set.RemoveMissingPages, RefreshExistingPages: gen.ProjectSourceSettingsRefreshExistingPages(set.RefreshExistingPages),
		SitemapPath: site, RefreshSchedule: make([]gen.ProjectSourceSlot, len(set.Schedule)),
	}
	for i, slot := range set.Schedule {
		days := make([]int32, len(slot.Days))
		for j, day := range slot.Days {
			days[j] = int32(day)
		}
		out.RefreshSchedule[i] = gen.ProjectSourceSlot{Days: days, Hours: slot.Hours}
	}
	return out
}
