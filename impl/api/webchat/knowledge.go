package webchat

import (
	"context"

	gen "parley/gen/webchat"
	"parley/impl/core/key"
	"parley/impl/core/knowledge"
	"parley/impl/httpd"
)

// documents are what the app answers from. It is the operator's to choose: no
// operation takes a publishable key.
type documents struct{ knowledge *knowledge.Service }

// holder is the app whose knowledge a request is about.
func holder(ctx context.Context) (accountID string, app knowledge.Holder, err error) {
	caller := httpd.Caller(ctx)
	if caller.Kind == key.Publishable {
		return "", app, errPublishable
	}
	return caller.AccountID, knowledge.App(caller.AppID), nil
}

// ListDocuments lists the app's files, the newest first.
func (d documents) ListDocuments(ctx context.Context, request gen.ListDocumentsRequestObject) (gen.ListDocumentsResponseObject, error) {
	accountID, app, err := holder(ctx)
	if err != nil {
		return nil, err
	}
	page, perPage := int(*request.Params.Page), int(*request.Params.PerPage)
	rows, err := d.knowledge.Documents(ctx, accountID, app, "", (page-1)*perPage, perPage+1)
	if err != nil {
		return nil, err
	}
	hasMore := len(rows) > perPage
	rows = rows[:min(len(rows), perPage)]
	list := make([]gen.Document, len(rows))
	for i, row := range rows {
		list[i] = toAPIDocument(row)
	}
	return gen.ListDocuments200JSONResponse{
		Success: gen.DocumentPageSuccessTrue, Documents: list, Meta: toAPISessionPageMeta(page, perPage, hasMore),
	}, nil
}

// CreateDocument stores a file for the app and begins to read it.
func (d documents) CreateDocument(ctx context.Context, request gen.CreateDocumentRequestObject) (gen.CreateDocumentResponseObject, error) {
	accountID, app, err := holder(ctx)
	if err != nil {
		return nil, err
	}
	f := knowledge.Text(request.JSONBody.Name, request.JSONBody.Content)
	if u := httpd.UploadOf(ctx, "file"); u != nil {
		f = knowledge.File{Name: u.Name, Type: u.Type, Content: u.Content()}
	}
	row, err := d.knowledge.AddDocument(ctx, accountID, app, f)
	if err != nil {
		return nil, err
	}
	return gen.CreateDocument201JSONResponse{
		Body:    gen.DocumentAnswer{Success: gen.DocumentAnswerSuccessTrue, Document: toAPIDocument(row)},
		Headers: gen.CreateDocument201ResponseHeaders{Location: "/api/v1/documents/" + row.ID},
	}, nil
}

// GetDocument tells how far the reading of a file is.
func (d documents) GetDocument(ctx context.Context, request gen.GetDocumentRequestObject) (gen.GetDocumentResponseObject, error) {
	accountID, app, err := holder(ctx)
	if err != nil {
		return nil, err
	}
	row, err := d.knowledge.Document(ctx, accountID, app, request.DocumentID)
	if err != nil {
		return nil, err
	}
	return gen.GetDocument200JSONResponse{Success: gen.DocumentAnswerSuccessTrue, Document: toAPIDocument(row)}, nil
}

// DeleteDocument removes a file of the app.
func (d documents) DeleteDocument(ctx context.Context, request gen.DeleteDocumentRequestObject) (gen.DeleteDocumentResponseObject, error) {
	accountID, app, err := holder(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.knowledge.DeleteDocument(ctx, accountID, app, request.DocumentID); err != nil {
		return nil, err
	}
	return gen.DeleteDocument200JSONResponse{Success: gen.KnowledgeDeletionSuccessTrue, Deleted: 1}, nil
}

// ListSites lists the app's sites.
func (d documents) ListSites(ctx context.Context, _ gen.ListSitesRequestObject) (gen.ListSitesResponseObject, error) {
	accountID, app, err := holder(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := d.knowledge.HeldSites(ctx, accountID, app)
	if err != nil {
		return nil, err
	}
	list := make([]gen.Site, len(rows))
	for i, row := range rows {
		list[i] = toAPISite(row)
	}
	return gen.ListSites200JSONResponse{Success: gen.SitePageSuccessTrue, Sites: list}, nil
}

// CreateSite stores a site for the app and begins to read it.
func (d documents) CreateSite(ctx context.Context, request gen.CreateSiteRequestObject) (gen.CreateSiteResponseObject, error) {
	accountID, app, err := holder(ctx)
	if err != nil {
		return nil, err
	}
	row, err := d.knowledge.AddHeldSite(ctx, accountID, app, request.Body.URL, string(*request.Body.Refresh))
	if err != nil {
		return nil, err
	}
	return gen.CreateSite201JSONResponse{Success: gen.SiteAnswerSuccessTrue, Site: toAPISite(row)}, nil
}

// DeleteSite removes a site of the app with its pages.
func (d documents) DeleteSite(ctx context.Context, request gen.DeleteSiteRequestObject) (gen.DeleteSiteResponseObject, error) {
	accountID, app, err := holder(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.knowledge.DeleteHeldSite(ctx, accountID, app, request.SiteID); err != nil {
		return nil, err
	}
	return gen.DeleteSite200JSONResponse{Success: gen.KnowledgeDeletionSuccessTrue, Deleted: 1}, nil
}
