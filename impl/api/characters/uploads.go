package characters

import (
	"context"
	"io"

	"parley/db"
	gen "parley/gen/characters"
	"parley/impl/core/image"
	"parley/impl/httpd"
)

const uploadsPath = "/api/v1/uploads"

type uploads struct {
	pictures
	service *image.Service
}

// ListUploads lists the pictures that people sent, the newest first.
func (u uploads) ListUploads(ctx context.Context, request gen.ListUploadsRequestObject) (gen.ListUploadsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := u.service.Uploads(ctx, httpd.Caller(ctx).AccountID, text(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(uploadsPath, rows[limit-1].ID, limit)
	}
	list := make(gen.UploadList, len(rows))
	for i, row := range rows {
		list[i] = u.toAPIUpload(ctx, row)
	}
	return gen.ListUploads200JSONResponse{Body: list, Headers: gen.ListUploads200ResponseHeaders{Link: link}}, nil
}

// CreateUpload stores a picture of a form, or of a data URL.
func (u uploads) CreateUpload(ctx context.Context, request gen.CreateUploadRequestObject) (gen.CreateUploadResponseObject, error) {
	in := image.Upload{Caller: httpd.Caller(ctx), Name: text(request.JSONBody.Name)}
	var err error
	if sent := httpd.UploadOf(ctx, "file"); sent != nil {
		if in.Name == "" {
			in.Name = sent.Name
		}
		in.Raw, err = io.ReadAll(sent.Content())
	} else {
		in.Raw, err = image.DataURL(request.JSONBody.URL)
	}
	if err != nil {
		return nil, err
	}
	row, err := u.service.Take(ctx, in)
	if err != nil {
		return nil, err
	}
	return gen.CreateUpload201JSONResponse{
		Body: u.toAPIUpload(ctx, row), Headers: gen.CreateUpload201ResponseHeaders{Location: uploadsPath + "/" + row.ID},
	}, nil
}

// GetUpload returns an upload with a fresh address.
func (u uploads) GetUpload(ctx context.Context, request gen.GetUploadRequestObject) (gen.GetUploadResponseObject, error) {
	row, err := u.service.Upload(ctx, httpd.Caller(ctx).AccountID, request.UploadID)
	if err != nil {
		return nil, err
	}
	return gen.GetUpload200JSONResponse(u.toAPIUpload(ctx, row)), nil
}

// DeleteUpload removes an upload.
func (u uploads) DeleteUpload(ctx context.Context, request gen.DeleteUploadRequestObject) (gen.DeleteUploadResponseObject, error) {
	if err := u.service.DeleteUpload(ctx, httpd.Caller(ctx).AccountID, request.UploadID); err != nil {
		return nil, err
	}
	return gen.DeleteUpload204Response{}, nil
}

func (u uploads) toAPIUpload(ctx context.Context, i db.Image) gen.Upload {
	return gen.Upload{
		ID: i.ID, Name: i.Name, MediaType: gen.UploadMediaType(i.MediaType), Bytes: i.Bytes,
		Width: int32(i.Width), Height: int32(i.Height), //nolint:gosec // both are bounded where they are stored
		URL: u.url(ctx, i), ExpiresAt: u.expiry(i).UTC(), CreatedAt: i.CreatedAt.UTC(),
	}
}
