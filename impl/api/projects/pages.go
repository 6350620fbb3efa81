package projects

import (
	"context"
	"crypto/md5" //nolint:gosec // a short name of an address, as clients of this API expect; it protects nothing
	"encoding/hex"
	"net/url"

	"parley/db"
	gen "parley/gen/projects"
	"parley/impl/core/knowledge"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

type pages struct {
	service *project.Service
	base    base
}

// ListProjectPages lists what a project answers from.
func (p pages) ListProjectPages(ctx context.Context, request gen.ListProjectPagesRequestObject) (gen.ListProjectPagesResponseObject, error) {
	params := request.Params
	row, err := p.service.Get(ctx, httpd.Caller(ctx).AccountID, request.ProjectID)
	if err != nil {
		return nil, err
	}
	page, size := int(*params.Page), int(*params.Limit)
	rows, total, err := p.service.Pages(ctx, row, db.PageFilter{
		CrawlState: wanted(string(*params.CrawlStatus)), IndexState: wanted(string(*params.IndexStatus)),
		Oldest: string(*params.Order) == "asc", Offset: (page - 1) * size, Limit: size,
	})
	if err != nil {
		return nil, err
	}
	shown, err := projects(p).toAPIProject(ctx, row)
	if err != nil {
		return nil, err
	}
	return gen.ListProjectPages200JSONResponse{Status: success, Data: gen.ProjectPages{
		Project: shown, Pages: toAPIProjectPagePaginator(p.base.pageOf(ctx, page, size, len(rows), total), p.base.toAPIProjectPages(ctx, row.ID, rows)),
	}}, nil
}

// wanted is a state to look for; "" for all.
func wanted(state string) string {
	if state == "all" {
		return ""
	}
	return state
}

// DeleteProjectPage removes a page.
func (p pages) DeleteProjectPage(ctx context.Context, request gen.DeleteProjectPageRequestObject) (gen.DeleteProjectPageResponseObject, error) {
	if err := p.service.DeletePage(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.PageID); err != nil {
		return nil, err
	}
	return gen.DeleteProjectPage200JSONResponse{Data: gen.ProjectsDeletion{Deleted: true}, Status: success}, nil
}

// ReindexProjectPage reads a page anew.
func (p pages) ReindexProjectPage(ctx context.Context, request gen.ReindexProjectPageRequestObject) (gen.ReindexProjectPageResponseObject, error) {
	if err := p.service.Reindex(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.PageID); err != nil {
		return nil, err
	}
	return gen.ReindexProjectPage200JSONResponse{Data: gen.ProjectsUpdate{Updated: true}, Status: success}, nil
}

// GetProjectPageMetadata returns what citations show of a page.
func (p pages) GetProjectPageMetadata(ctx context.Context, request gen.GetProjectPageMetadataRequestObject) (gen.GetProjectPageMetadataResponseObject, error) {
	page, err := p.service.Page(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.PageID)
	if err != nil {
		return nil, err
	}
	return gen.GetProjectPageMetadata200JSONResponse{Data: p.base.toAPIProjectPageMetadata(ctx, page), Status: success}, nil
}

// UpdateProjectPageMetadata changes what citations show of a page.
func (p pages) UpdateProjectPageMetadata(ctx context.Context, request gen.UpdateProjectPageMetadataRequestObject) (gen.UpdateProjectPageMetadataResponseObject, error) {
	body := request.Body
	page, err := p.service.SetMetadata(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.PageID, knowledge.Metadata{
		Title: body.Title, URL: body.URL, Description: body.Description, Image: body.Image,
	})
	if err != nil {
		return nil, err
	}
	return gen.UpdateProjectPageMetadata200JSONResponse{Data: p.base.toAPIProjectPageMetadata(ctx, page), Status: success}, nil
}

// GetProjectCitation returns what there is to show of a page that an answer rests on.
func (p pages) GetProjectCitation(ctx context.Context, request gen.GetProjectCitationRequestObject) (gen.GetProjectCitationResponseObject, error) {
	page, err := p.service.Page(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.CitationID)
	if err != nil {
		return nil, err
	}
	m := p.base.toAPIProjectPageMetadata(ctx, page)
	c := gen.ProjectCitation{ID: m.ID, URL: m.URL, PageURL: m.URL, Title: m.Title, Description: m.Description, Image: m.Image}
	if at, err := url.Parse(m.URL); err == nil && !page.IsFile && at.Host != "" {
		c.SiteName = &at.Host
	}
	return gen.GetProjectCitation200JSONResponse{Data: c, Status: success}, nil
}

// pageURL is where a page is: a site's where it was read, a file's preview.
func (b base) pageURL(ctx context.Context, page db.Page) string {
	if page.IsFile {
		return *b.file(ctx, &page.Number)
	}
	return page.URL
}

func (b base) toAPIProjectPages(ctx context.Context, projectID int64, rows []db.Page) []gen.ProjectPage {
	out := make([]gen.ProjectPage, len(rows))
	for i, row := range rows {
		out[i] = b.toAPIProjectPage(ctx, projectID, row)
	}
	return out
}

func (b base) toAPIProjectPage(ctx context.Context, projectID int64, row db.Page) gen.ProjectPage {
	at := b.pageURL(ctx, row)
	sum := md5.Sum([]byte(at)) //nolint:gosec // see the import
	out := gen.ProjectPage{
		ID: row.Number, PageURL: at, PageURLHash: hex.EncodeToString(sum[:]), ProjectID: projectID,
		CrawlStatus: gen.ProjectPageCrawlStatus(row.CrawlState), IndexStatus: gen.ProjectPageIndexStatus(row.IndexState),
		IsFile: row.IsFile, IsRefreshable: !row.IsFile || row.FileKept, IsFileKept: row.FileKept,
		CreatedAt: instant(row.CreatedAt), UpdatedAt: instant(row.UpdatedAt),
	}
	if row.IsFile {
		out.Filename, out.Filesize = &row.FileName, &row.FileBytes
	}
	return out
}

func toAPIProjectPagePaginator(p pager, items []gen.ProjectPage) gen.ProjectPagePaginator {
	return gen.ProjectPagePaginator{
		CurrentPage: p.page, Data: items, FirstPageURL: p.address(1), From: orNull(p.from), LastPage: p.last, LastPageURL: p.address(p.last),
		NextPageURL: p.neighbour(p.page + 1), Path: p.path, PerPage: p.perPage, PrevPageURL: p.neighbour(p.page - 1), To: orNull(p.to), Total: p.total,
	}
}

func (b base) toAPIProjectPageMetadata(ctx context.Context, page db.Page) gen.ProjectPageMetadata {
	title, at, description, image := knowledge.Shown(page)
	out := gen.ProjectPageMetadata{
		ID: page.Number, PageID: page.Number, URL: at, Title: title, Description: description,
		CreatedAt: instant(page.CreatedAt), UpdatedAt: instant(page.UpdatedAt),
	}
	if out.URL == "" {
		out.URL = b.pageURL(ctx, page)
	}
	if image != "" {
		out.Image = &image
	}
	return out
}
