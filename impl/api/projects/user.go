package projects

import (
	"context"

	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

const (
	// storageMax is how many words of content an account may have.
	storageMax = 60_000_000
	// unlimited is the largest number that every client reads exactly.
	unlimited = 1<<53 - 1
)

type users struct {
	service *project.Service
	base    base
}

// GetProjectsUser returns the account's one user.
func (u users) GetProjectsUser(ctx context.Context, _ gen.GetProjectsUserRequestObject) (gen.GetProjectsUserResponseObject, error) {
	p, err := u.service.Profile(ctx, httpd.Caller(ctx).AccountID)
	if err != nil {
		return nil, err
	}
	return gen.GetProjectsUser200JSONResponse{Data: u.toAPIProjectsUser(ctx, p), Status: success}, nil
}

// UpdateProjectsUser changes name and picture.
func (u users) UpdateProjectsUser(ctx context.Context, request gen.UpdateProjectsUserRequestObject) (gen.UpdateProjectsUserResponseObject, error) {
	p, err := u.service.UpdateProfile(ctx, httpd.Caller(ctx).AccountID, request.JSONBody.Name, upload(ctx, "profile_photo"))
	if err != nil {
		return nil, err
	}
	return gen.UpdateProjectsUser200JSONResponse{Data: u.toAPIProjectsUser(ctx, p), Status: success}, nil
}

func (u users) toAPIProjectsUser(ctx context.Context, p project.Profile) gen.ProjectsUser {
	return gen.ProjectsUser{
		ID: p.Number, Name: p.Name, CurrentTeamID: p.Team, ProfilePhotoURL: u.base.file(ctx, p.ImageID),
		CreatedAt: instant(p.CreatedAt), UpdatedAt: instant(p.UpdatedAt),
	}
}

// GetProjectsLimits tells where the account stands.
func (u users) GetProjectsLimits(ctx context.Context, _ gen.GetProjectsLimitsRequestObject) (gen.GetProjectsLimitsResponseObject, error) {
	n, err := u.service.Usage(ctx, httpd.Caller(ctx).AccountID)
	if err != nil {
		return nil, err
	}
	return gen.GetProjectsLimits200JSONResponse{Status: success, Data: gen.ProjectsLimits{
		MaxProjectsNum: project.ProjectsMax, CurrentProjectsNum: n.Projects, MaxTotalStorageCredits: storageMax,
		CurrentTotalStorageCredits: n.Words, MaxQueries: unlimited, CurrentQueries: n.Queries,
	}}, nil
}
