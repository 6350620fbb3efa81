package projects

import (
	"context"
	"io"

	"parley/db"
	gen "parley/gen/projects"
	"parley/impl/core/fault"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

// perPage is how many projects or conversations a page holds.
const perPage = 10

type projects struct {
	service *project.Service
	base    base
}

// ListProjects lists the account's projects.
func (p projects) ListProjects(ctx context.Context, request gen.ListProjectsRequestObject) (gen.ListProjectsResponseObject, error) {
	params := request.Params
	f := filter(int(*params.Page), perPage, string(*params.Order), text(params.Name))
	rows, total, err := p.service.List(ctx, httpd.Caller(ctx).AccountID, f)
	if err != nil {
		return nil, err
	}
	items, err := p.toAPIProjects(ctx, httpd.Caller(ctx).AccountID, rows)
	if err != nil {
		return nil, err
	}
	page := p.base.pageOf(ctx, int(*params.Page), perPage, len(rows), total)
	return gen.ListProjects200JSONResponse{Data: toAPIProjectPaginator(page, items), Status: success}, nil
}

func (p projects) toAPIProjects(ctx context.Context, accountID string, rows []db.Project) ([]gen.Project, error) {
	active, err := p.service.IsActive(ctx, accountID, rows...)
	if err != nil {
		return nil, err
	}
	keys, err := p.service.WidgetKeys(ctx, accountID, rows...)
	items := make([]gen.Project, len(rows))
	for i, row := range rows {
		items[i] = toAPIProject(row, active[row.ID], p.base.embedCodes(ctx, keys[row.ID]))
	}
	return items, err
}

func (p projects) toAPIProject(ctx context.Context, row db.Project) (gen.Project, error) {
	items, err := p.toAPIProjects(ctx, row.AccountID, []db.Project{row})
	if err != nil {
		return gen.Project{}, err
	}
	return items[0], nil
}

// filter is a page of a list.
func filter(page, size int, order, name string) db.ListFilter {
	return db.ListFilter{Name: name, Ascending: order == "asc", Offset: (page - 1) * size, Limit: size}
}

// CreateProject makes a project and begins to read its content.
func (p projects) CreateProject(ctx context.Context, request gen.CreateProjectRequestObject) (gen.CreateProjectResponseObject, error) {
	body := request.JSONBody
	if err := project.CheckOptions(body.IsOcrEnabled, body.IsAnonymized); err != nil {
		return nil, err
	}
	row, err := p.service.Create(ctx, project.CreateInput{
		Caller: httpd.Caller(ctx), Name: body.ProjectName, SitemapPath: text(body.SitemapPath), File: upload(ctx, "file"),
		KeepsFiles: kept(body.FileDataRetension, body.FileDataRetention),
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateProject201JSONResponse{
		Body: gen.ProjectAnswer{Data: toAPIProject(row, false, embedCodes{}), Status: success}, Headers: gen.CreateProject201ResponseHeaders{Location: address(row.ID)},
	}, nil
}

// address is where a project is.
func address(projectID int64) string { return "/api/v1/projects/" + number(projectID) }

// kept tells whether files stay after they were read, as either spelling says; they do unless one says no.
func kept(spellings ...*bool) bool {
	for _, s := range spellings {
		if s != nil && !*s {
			return false
		}
	}
	return true
}

// upload is a file of the request's form; nil without one.
func upload(ctx context.Context, name string) *project.File {
	u := httpd.UploadOf(ctx, name)
	if u == nil {
		return nil
	}
	return &project.File{Name: u.Name, Type: u.Type, Size: u.Size, Content: func() io.Reader { return u.Content() }}
}

// GetProject returns one project.
func (p projects) GetProject(ctx context.Context, request gen.GetProjectRequestObject) (gen.GetProjectResponseObject, error) {
	row, err := p.service.Get(ctx, httpd.Caller(ctx).AccountID, request.ProjectID)
	if err != nil {
		return nil, forbidden(err)
	}
	shown, err := p.toAPIProject(ctx, row)
	if err != nil {
		return nil, err
	}
	return gen.GetProject200JSONResponse{Data: shown, Status: success}, nil
}

// forbidden says of a missing project what clients of this API expect where
// projects are read and deleted: 403, which tells no more than 404 does.
func forbidden(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return fault.New(fault.Forbidden, "This action is unauthorized.").Because(err)
	}
	return err
}

// UpdateProject changes what the body names.
func (p projects) UpdateProject(ctx context.Context, request gen.UpdateProjectRequestObject) (gen.UpdateProjectResponseObject, error) {
	body := request.JSONBody
	if err := project.CheckOptions(body.IsOcrEnabled, body.IsAnonymized); err != nil {
		return nil, err
	}
	change := project.Change{
		Name: body.ProjectName, SitemapPath: body.SitemapPath, File: upload(ctx, "file"), Shared: body.IsShared, Licensed: body.AreLicensesAllowed,
	}
	if body.FileDataRetension != nil || body.FileDataRetention != nil {
		keeps := kept(body.FileDataRetension, body.FileDataRetention)
		change.KeepsFiles = &keeps
	}
	row, err := p.service.Update(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, change)
	if err != nil {
		return nil, err
	}
	shown, err := p.toAPIProject(ctx, row)
	if err != nil {
		return nil, err
	}
	return gen.UpdateProject200JSONResponse{Data: shown, Status: success}, nil
}

// DeleteProject deletes a project with all that it holds.
func (p projects) DeleteProject(ctx context.Context, request gen.DeleteProjectRequestObject) (gen.DeleteProjectResponseObject, error) {
	if err := p.service.Delete(ctx, httpd.Caller(ctx).AccountID, request.ProjectID); err != nil {
		return nil, forbidden(err)
	}
	return gen.DeleteProject200JSONResponse{Data: gen.ProjectsDeletion{Deleted: true}, Status: success}, nil
}

// ReplicateProject copies a project.
func (p projects) ReplicateProject(ctx context.Context, request gen.ReplicateProjectRequestObject) (gen.ReplicateProjectResponseObject, error) {
	row, err := p.service.Replicate(ctx, httpd.Caller(ctx), request.ProjectID)
	if err != nil {
		return nil, err
	}
	return gen.ReplicateProject201JSONResponse{
		Body: gen.ProjectAnswer{Data: toAPIProject(row, false, embedCodes{}), Status: success}, Headers: gen.ReplicateProject201ResponseHeaders{Location: address(row.ID)},
	}, nil
}

// GetProjectStats counts what a project holds and answered.
func (p projects) GetProjectStats(ctx context.Context, request gen.GetProjectStatsRequestObject) (gen.GetProjectStatsResponseObject, error) {
	s, err := p.service.Stats(ctx, httpd.Caller(ctx).AccountID, request.ProjectID)
	if err != nil {
		return nil, err
	}
	return gen.GetProjectStats200JSONResponse{Data: toAPIProjectStats(s), Status: success}, nil
}
