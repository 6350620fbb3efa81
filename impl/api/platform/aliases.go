package platform

import (
	"context"
	"net/url"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/model"
	"parley/impl/httpd"
)

// aliases are everyone's, for the server's operator.
type aliases struct{ models *model.Catalog }

// ListModelAliases lists the aliases by name.
func (a aliases) ListModelAliases(ctx context.Context, request gen.ListModelAliasesRequestObject) (gen.ListModelAliasesResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := a.models.Aliases(ctx, db.Everyone, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/admin/model-aliases", rows[limit-1].Alias, limit)
	}
	list := make(gen.ModelAliasList, len(rows))
	for i, row := range rows {
		list[i] = toAPIAlias(row)
	}
	return gen.ListModelAliases200JSONResponse{Body: list, Headers: gen.ListModelAliases200ResponseHeaders{Link: link}}, nil
}

// GetModelAlias returns one alias.
func (a aliases) GetModelAlias(ctx context.Context, request gen.GetModelAliasRequestObject) (gen.GetModelAliasResponseObject, error) {
	row, err := a.models.Alias(ctx, db.Everyone, request.ModelAlias)
	if err != nil {
		return nil, err
	}
	return gen.GetModelAlias200JSONResponse(toAPIAlias(row)), nil
}

// PutModelAlias lets a name mean a model.
func (a aliases) PutModelAlias(ctx context.Context, request gen.PutModelAliasRequestObject) (gen.PutModelAliasResponseObject, error) {
	row, made, err := a.models.PutAlias(ctx, db.Everyone, request.ModelAlias, request.Body.Model)
	if err != nil {
		return nil, err
	}
	if made {
		location := "/api/v1/admin/model-aliases/" + url.PathEscape(row.Alias)
		return gen.PutModelAlias201JSONResponse{Body: toAPIAlias(row), Headers: gen.PutModelAlias201ResponseHeaders{Location: location}}, nil
	}
	return gen.PutModelAlias200JSONResponse(toAPIAlias(row)), nil
}

// DeleteModelAlias removes an alias.
func (a aliases) DeleteModelAlias(ctx context.Context, request gen.DeleteModelAliasRequestObject) (gen.DeleteModelAliasResponseObject, error) {
	if err := a.models.DeleteAlias(ctx, db.Everyone, request.ModelAlias); err != nil {
		return nil, err
	}
	return gen.DeleteModelAlias204Response{}, nil
}

func toAPIAlias(a db.ModelAlias) gen.ModelAlias {
	return gen.ModelAlias{Alias: a.Alias, Model: a.ModelID, CreatedAt: a.CreatedAt.UTC()}
}
