package projects

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"

	gen "parley/gen/projects"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

type files struct{ service *project.Service }

// PreviewProjectsFile sends a picture or a kept file.
func (f files) PreviewProjectsFile(ctx context.Context, request gen.PreviewProjectsFileRequestObject) (gen.PreviewProjectsFileResponseObject, error) {
	p, err := f.service.Preview(ctx, httpd.Caller(ctx).AccountID, request.FileID)
	if err != nil {
		return nil, err
	}
	return preview{p}, nil
}

// preview is a file on its way.
type preview struct{ project.Preview }

// VisitPreviewProjectsFileResponse sends the file. A failure in its middle ends the connection.
func (p preview) VisitPreviewProjectsFileResponse(w http.ResponseWriter) error {
	defer func() { _ = p.Content.Close() }() // it was only read
	h := w.Header()
	h.Set("Content-Type", p.MediaType)
	h.Set("Content-Length", strconv.FormatInt(p.Bytes, 10))
	if p.Name != "" {
		h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": p.Name}))
	}
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.WriteHeader(http.StatusOK)
	if _, err := io.Copy(w, p.Content); err != nil {
		panic(http.ErrAbortHandler) // nothing else tells a client that this is not all
	}
	return nil
}
