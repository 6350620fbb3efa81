package platform

import (
	"context"
	"net/url"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/httpd"
)

const (
	providersPath = "/api/v1/admin/providers"
	modelsPath    = "/api/v1/admin/models"
)

type providers struct{ catalog *model.Catalog }

// ListProviders lists the providers that the account sees.
func (p providers) ListProviders(ctx context.Context, request gen.ListProvidersRequestObject) (gen.ListProvidersResponseObject, error) {
	caller, limit := httpd.Caller(ctx), int(*request.Params.Limit)
	rows, err := p.catalog.ProvidersAfter(ctx, caller.AccountID, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(providersPath, rows[limit-1].ID, limit)
	}
	list := make(gen.ProviderList, len(rows))
	for i, row := range rows {
		list[i] = toAPIProvider(caller, row)
	}
	return gen.ListProviders200JSONResponse{Body: list, Headers: gen.ListProviders200ResponseHeaders{Link: link}}, nil
}

// CreateProvider adds a provider.
func (p providers) CreateProvider(ctx context.Context, request gen.CreateProviderRequestObject) (gen.CreateProviderResponseObject, error) {
	caller, b := httpd.Caller(ctx), request.Body
	row, err := p.catalog.CreateProvider(ctx, caller, model.ProviderInput{
		Name: b.Name, Kind: string(b.Kind), BaseURL: b.BaseURL, Key: value(b.Key), Shared: *b.Shared,
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateProvider201JSONResponse{
		Body: toAPIProvider(caller, row), Headers: gen.CreateProvider201ResponseHeaders{Location: providersPath + "/" + row.ID},
	}, nil
}

// GetProvider returns one provider.
func (p providers) GetProvider(ctx context.Context, request gen.GetProviderRequestObject) (gen.GetProviderResponseObject, error) {
	caller := httpd.Caller(ctx)
	row, err := p.catalog.Provider(ctx, caller.AccountID, request.ProviderID)
	if err != nil {
		return nil, err
	}
	return gen.GetProvider200JSONResponse(toAPIProvider(caller, row)), nil
}

// DeleteProvider removes a provider with its models.
func (p providers) DeleteProvider(ctx context.Context, request gen.DeleteProviderRequestObject) (gen.DeleteProviderResponseObject, error) {
	if err := p.catalog.DeleteProvider(ctx, httpd.Caller(ctx), request.ProviderID); err != nil {
		return nil, err
	}
	return gen.DeleteProvider204Response{}, nil
}

// TestProvider asks a provider for its models.
func (p providers) TestProvider(ctx context.Context, request gen.TestProviderRequestObject) (gen.TestProviderResponseObject, error) {
	t, err := p.catalog.TestProvider(ctx, httpd.Caller(ctx), request.ProviderID, *request.Body.Offer)
	if err != nil {
		return nil, err
	}
	out := gen.TestProvider200JSONResponse{Ok: t.Failure == nil, TookMs: t.Took.Milliseconds(), Models: t.Models, Offered: t.Offered}
	if t.Failure != nil {
		reason := fault.From(t.Failure).Message
		out.Error = &reason
	}
	return out, nil
}

// toAPIProvider shows a provider. Where those are that the server offers is the operator's to know.
func toAPIProvider(caller key.Caller, p db.Provider) gen.Provider {
	out := gen.Provider{
		ID: p.ID, Name: p.Name, Kind: gen.ProviderKind(p.Kind), HasKey: p.SealedKey != nil,
		Shared: p.AccountID == db.Everyone, CreatedAt: p.CreatedAt.UTC(),
	}
	if p.BaseURL != "" && (!out.Shared || caller.May(key.ScopeOperator+":read")) {
		out.BaseURL = &p.BaseURL
	}
	return out
}

type offeredModels struct{ catalog *model.Catalog }

// ListOfferedModels lists the models that the account sees, also disabled ones.
func (m offeredModels) ListOfferedModels(ctx context.Context, request gen.ListOfferedModelsRequestObject) (gen.ListOfferedModelsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := m.catalog.Offered(ctx, httpd.Caller(ctx).AccountID, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(modelsPath, rows[limit-1].ID, limit)
	}
	list := make(gen.OfferedModelList, len(rows))
	for i, row := range rows {
		list[i] = toAPIOfferedModel(row)
	}
	return gen.ListOfferedModels200JSONResponse{Body: list, Headers: gen.ListOfferedModels200ResponseHeaders{Link: link}}, nil
}

// CreateOfferedModel offers a model.
func (m offeredModels) CreateOfferedModel(ctx context.Context, request gen.CreateOfferedModelRequestObject) (gen.CreateOfferedModelResponseObject, error) {
	b := request.Body
	row := db.Model{
		ID: value(b.ID), ProviderID: b.ProviderID, Kind: string(b.Type), Name: value(b.Name), UpstreamName: value(b.UpstreamName),
		ContextTokens: int(*b.MaxContext), MaxOutputTokens: int(*b.MaxOutput),
		InputMicrosPer1K: *b.InputMicrosPer1K, OutputMicrosPer1K: *b.OutputMicrosPer1K, ImageMicros: *b.ImageMicros, Vision: b.Vision,
	}
	if row.ID == "" {
		row.ID = id.New(id.Model)
	}
	if row.Name == "" {
		row.Name = row.ID
	}
	if row.UpstreamName == "" {
		row.UpstreamName = row.ID
	}
	made, err := m.catalog.CreateModel(ctx, httpd.Caller(ctx), row)
	if err != nil {
		return nil, err
	}
	return gen.CreateOfferedModel201JSONResponse{
		Body: toAPIOfferedModel(made), Headers: gen.CreateOfferedModel201ResponseHeaders{Location: modelsPath + "/" + url.PathEscape(made.ID)},
	}, nil
}

// UpdateOfferedModel changes a model.
func (m offeredModels) UpdateOfferedModel(ctx context.Context, request gen.UpdateOfferedModelRequestObject) (gen.UpdateOfferedModelResponseObject, error) {
	b := request.Body
	row, err := m.catalog.UpdateModel(ctx, httpd.Caller(ctx), request.ModelID, model.ModelChange{
		Name: b.Name, InputMicros: b.InputMicrosPer1K, OutputMicros: b.OutputMicrosPer1K, Image: b.ImageMicros, Enabled: b.Enabled,
		Vision: b.Vision, EnabledHere: b.EnabledHere,
	})
	if err != nil {
		return nil, err
	}
	return gen.UpdateOfferedModel200JSONResponse(toAPIOfferedModel(row)), nil
}

// DeleteOfferedModel withdraws a model.
func (m offeredModels) DeleteOfferedModel(ctx context.Context, request gen.DeleteOfferedModelRequestObject) (gen.DeleteOfferedModelResponseObject, error) {
	if err := m.catalog.DeleteModel(ctx, httpd.Caller(ctx), request.ModelID); err != nil {
		return nil, err
	}
	return gen.DeleteOfferedModel204Response{}, nil
}

func toAPIOfferedModel(m db.Model) gen.OfferedModel {
	return gen.OfferedModel{
		ID: m.ID, ProviderID: m.ProviderID, Type: gen.OfferedModelType(m.Kind), Name: m.Name, UpstreamName: m.UpstreamName,
		MaxContext: int32(m.ContextTokens), MaxOutput: int32(m.MaxOutputTokens), //nolint:gosec // both are bounded where they are stored
		InputMicrosPer1K: m.InputMicrosPer1K, OutputMicrosPer1K: m.OutputMicrosPer1K, ImageMicros: m.ImageMicros,
		Vision: m.Vision, Enabled: m.Enabled, EnabledHere: m.EnabledHere, Shared: m.AccountID == db.Everyone,
	}
}
