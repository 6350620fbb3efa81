package platform

import (
	"context"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/privacy"
	"parley/impl/httpd"
)

type exports struct{ service *privacy.Service }

// ListExports lists the account's exports, the newest first.
func (x exports) ListExports(ctx context.Context, request gen.ListExportsRequestObject) (gen.ListExportsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := x.service.Exports(ctx, httpd.Caller(ctx).AccountID, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/admin/exports", rows[limit-1].ID, limit)
	}
	list := make(gen.ExportList, len(rows))
	for i, row := range rows {
		list[i] = toAPIExport(row)
	}
	return gen.ListExports200JSONResponse{Body: list, Headers: gen.ListExports200ResponseHeaders{Link: link}}, nil
}

// CreateExport orders an archive.
func (x exports) CreateExport(ctx context.Context, request gen.CreateExportRequestObject) (gen.CreateExportResponseObject, error) {
	e, err := x.service.CreateExport(ctx, httpd.Caller(ctx).AccountID, string(request.Body.Scope), value(request.Body.Subject))
	if err != nil {
		return nil, err
	}
	return gen.CreateExport202JSONResponse{
		Body: toAPIExport(e), Headers: gen.CreateExport202ResponseHeaders{Location: "/api/v1/admin/exports/" + e.ID},
	}, nil
}

// GetExport returns one export.
func (x exports) GetExport(ctx context.Context, request gen.GetExportRequestObject) (gen.GetExportResponseObject, error) {
	e, err := x.service.Export(ctx, httpd.Caller(ctx).AccountID, request.ExportID)
	if err != nil {
		return nil, err
	}
	return gen.GetExport200JSONResponse(toAPIExport(e)), nil
}

// DownloadExport sends an archive.
func (x exports) DownloadExport(ctx context.Context, request gen.DownloadExportRequestObject) (gen.DownloadExportResponseObject, error) {
	archive, e, err := x.service.Download(ctx, httpd.Caller(ctx).AccountID, request.ExportID)
	if err != nil {
		return nil, err
	}
	return gen.DownloadExport200ApplicationZipResponse{
		Body: archive, ContentLength: e.Bytes,
		Headers: gen.DownloadExport200ResponseHeaders{ContentDisposition: `attachment; filename="` + e.ID + `.zip"`},
	}, nil
}

type erasures struct{ service *privacy.Service }

// ListErasures lists the account's erasures, the newest first.
func (x erasures) ListErasures(ctx context.Context, request gen.ListErasuresRequestObject) (gen.ListErasuresResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := x.service.Erasures(ctx, httpd.Caller(ctx).AccountID, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/admin/erasures", rows[limit-1].ID, limit)
	}
	list := make(gen.ErasureList, len(rows))
	for i, row := range rows {
		list[i] = toAPIErasure(row)
	}
	return gen.ListErasures200JSONResponse{Body: list, Headers: gen.ListErasures200ResponseHeaders{Link: link}}, nil
}

// CreateErasure orders that content be forgotten.
func (x erasures) CreateErasure(ctx context.Context, request gen.CreateErasureRequestObject) (gen.CreateErasureResponseObject, error) {
	e, err := x.service.CreateErasure(ctx, httpd.Caller(ctx).AccountID, string(request.Body.Scope), value(request.Body.Subject))
	if err != nil {
		return nil, err
	}
	return gen.CreateErasure202JSONResponse{
		Body: toAPIErasure(e), Headers: gen.CreateErasure202ResponseHeaders{Location: "/api/v1/admin/erasures/" + e.ID},
	}, nil
}

// GetErasure returns one erasure.
func (x erasures) GetErasure(ctx context.Context, request gen.GetErasureRequestObject) (gen.GetErasureResponseObject, error) {
	e, err := x.service.Erasure(ctx, httpd.Caller(ctx).AccountID, request.ErasureID)
	if err != nil {
		return nil, err
	}
	return gen.GetErasure200JSONResponse(toAPIErasure(e)), nil
}

type retention struct{ service *privacy.Service }

// GetRetention tells how long conversations are kept.
func (x retention) GetRetention(ctx context.Context, _ gen.GetRetentionRequestObject) (gen.GetRetentionResponseObject, error) {
	days, err := x.service.Retention(ctx, httpd.Caller(ctx).AccountID)
	if err != nil {
		return nil, err
	}
	return gen.GetRetention200JSONResponse{Days: int32Of(days)}, nil
}

// SetRetention changes how long conversations are kept.
func (x retention) SetRetention(ctx context.Context, request gen.SetRetentionRequestObject) (gen.SetRetentionResponseObject, error) {
	var days *int
	if request.Body.Days != nil {
		wide := int(*request.Body.Days)
		days = &wide
	}
	if err := x.service.SetRetention(ctx, httpd.Caller(ctx).AccountID, days); err != nil {
		return nil, err
	}
	return gen.SetRetention200JSONResponse{Days: request.Body.Days}, nil
}

// orNull is nil for an absent id.
func orNull(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}

func toAPIExport(e db.Export) gen.Export {
	return gen.Export{
		ID: e.ID, Scope: gen.PrivacyScope(e.Scope), Subject: orNull(e.Subject), State: gen.PrivacyState(e.State), Records: e.Records, Bytes: e.Bytes,
		CreatedAt: e.CreatedAt.UTC(), FinishedAt: utc(e.FinishedAt), ExpiresAt: utc(e.ExpiresAt),
	}
}

func toAPIErasure(e db.Erasure) gen.Erasure {
	return gen.Erasure{
		ID: e.ID, Scope: gen.PrivacyScope(e.Scope), Subject: orNull(e.Subject), State: gen.PrivacyState(e.State), Conversations: e.Conversations,
		Files: e.Blobs, CreatedAt: e.CreatedAt.UTC(), FinishedAt: utc(e.FinishedAt),
	}
}
