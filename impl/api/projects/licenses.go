package projects

import (
	"context"

	"parley/db"
	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

type licenses struct{ service *project.Service }

// ListProjectLicenses lists a project's licenses.
func (l licenses) ListProjectLicenses(ctx context.Context, request gen.ListProjectLicensesRequestObject) (gen.ListProjectLicensesResponseObject, error) {
	rows, err := l.service.Licenses(ctx, httpd.Caller(ctx).AccountID, request.ProjectID)
	if err != nil {
		return nil, err
	}
	list := make([]gen.ProjectLicense, len(rows))
	for i, row := range rows {
		list[i] = toAPIProjectLicense(row)
	}
	return gen.ListProjectLicenses200JSONResponse{Data: list, Status: success}, nil
}

// CreateProjectLicense makes a license and shows its key once.
func (l licenses) CreateProjectLicense(ctx context.Context, request gen.CreateProjectLicenseRequestObject) (gen.CreateProjectLicenseResponseObject, error) {
	row, key, err := l.service.AddLicense(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.Body.Name)
	if err != nil {
		return nil, err
	}
	return gen.CreateProjectLicense201JSONResponse{
		Data: gen.ProjectLicenseWithKey{License: toAPIProjectLicense(row), LicenseKey: key}, Status: success,
	}, nil
}

// GetProjectLicense returns a license.
func (l licenses) GetProjectLicense(ctx context.Context, request gen.GetProjectLicenseRequestObject) (gen.GetProjectLicenseResponseObject, error) {
	row, err := l.service.License(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.LicenseID)
	if err != nil {
		return nil, err
	}
	return gen.GetProjectLicense200JSONResponse{License: toAPIProjectLicense(row), Status: success}, nil
}

// UpdateProjectLicense renames a license.
func (l licenses) UpdateProjectLicense(ctx context.Context, request gen.UpdateProjectLicenseRequestObject) (gen.UpdateProjectLicenseResponseObject, error) {
	row, err := l.service.RenameLicense(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.LicenseID, request.Body.Name)
	if err != nil {
		return nil, err
	}
	return gen.UpdateProjectLicense200JSONResponse{License: toAPIProjectLicense(row), Status: success}, nil
}

// DeleteProjectLicense revokes a license.
func (l licenses) DeleteProjectLicense(ctx context.Context, request gen.DeleteProjectLicenseRequestObject) (gen.DeleteProjectLicenseResponseObject, error) {
	if err := l.service.RevokeLicense(ctx, httpd.Caller(ctx).AccountID, request.ProjectID, request.LicenseID); err != nil {
		return nil, err
	}
	return gen.DeleteProjectLicense200JSONResponse{Data: gen.ProjectsDeletion{Deleted: true}, Status: success}, nil
}

func toAPIProjectLicense(l db.ProjectLicense) gen.ProjectLicense {
	return gen.ProjectLicense{
		ID: l.ID, Name: l.Name, ProjectID: l.ProjectID, CreatedAt: instant(l.CreatedAt), UpdatedAt: instant(l.UpdatedAt),
		Conversations: l.Conversations, Queries: l.Queries,
	}
}

type plugins struct{ service *project.Service }

// GetProjectPlugin returns a project's plugin.
func (p plugins) GetProjectPlugin(ctx context.Context, request gen.GetProjectPluginRequestObject) (gen.GetProjectPluginResponseObject, error) {
	row, err := p.service.Plugin(ctx, httpd.Caller(ctx).AccountID, request.ProjectID)
	if err != nil {
		return nil, err
	}
	return gen.GetProjectPlugin200JSONResponse{Data: toAPIProjectPlugin(row), Status: success}, nil
}

// CreateProjectPlugin stores a project's plugin in place of an earlier one.
func (p plugins) CreateProjectPlugin(ctx context.Context, request gen.CreateProjectPluginRequestObject) (gen.CreateProjectPluginResponseObject, error) {
	b := request.Body
	row, err := p.service.PutPlugin(ctx, db.ProjectPlugin{
		AccountID: httpd.Caller(ctx).AccountID, ProjectID: request.ProjectID, ModelName: b.ModelName, HumanName: b.HumanName,
		Keywords: text(b.Keywords), Description: text(b.Description), Active: b.IsActive == nil || *b.IsActive,
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateProjectPlugin201JSONResponse{Data: toAPIProjectPlugin(row), Status: success}, nil
}

// UpdateProjectPlugin changes a project's plugin.
func (p plugins) UpdateProjectPlugin(ctx context.Context, request gen.UpdateProjectPluginRequestObject) (gen.UpdateProjectPluginResponseObject, error) {
	row, err := p.service.Plugin(ctx, httpd.Caller(ctx).AccountID, request.ProjectID)
	if err != nil {
		return nil, err
	}
	b := request.Body
	for to, from := range map[*string]*string{
		&row.ModelName: b.ModelName, &row.HumanName: b.HumanName, &row.Keywords: b.Keywords, &row.Description: b.Description,
	} {
		if from != nil {
			*to = *from
		}
	}
	if b.IsActive != nil {
		row.Active = *b.IsActive
	}
	if row, err = p.service.PutPlugin(ctx, row); err != nil {
		return nil, err
	}
	return gen.UpdateProjectPlugin200JSONResponse{Data: toAPIProjectPlugin(row), Status: success}, nil
}

func toAPIProjectPlugin(p db.ProjectPlugin) gen.ProjectPlugin {
	return gen.ProjectPlugin{
		ID: p.ID, ProjectID: p.ProjectID, ModelName: p.ModelName, HumanName: p.HumanName, Keywords: p.Keywords, Description: p.Description,
		IsActive: p.Active, CreatedAt: instant(p.CreatedAt), UpdatedAt: instant(p.UpdatedAt),
	}
}
