package platform

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"time"

	gen "parley/gen/platform"
	"parley/impl/core/fault"
	"parley/impl/core/file"
	"parley/impl/core/image"
)

type files struct {
	images *image.Service
	links  *file.Links
}

var (
	errNoFile = fault.New(fault.NotFound, "File not found")
	oneRange  = regexp.MustCompile(`^bytes=(\d{1,12}-\d{0,12}|-\d{1,12})$`)
)

// GetFile serves a picture by its signed name.
func (f files) GetFile(ctx context.Context, request gen.GetFileRequestObject) (gen.GetFileResponseObject, error) {
	target, ok := f.links.Open(request.FileName)
	if !ok {
		return nil, errNoFile
	}
	tag := `"` + target.ImageID + `"` // the content never changes under its id
	if unchanged(request.Params.IfNoneMatch, tag) {
		if _, err := f.images.Get(ctx, target.AccountID, target.ImageID); err != nil {
			return nil, missingFile(err)
		}
		return gen.GetFile304Response{Headers: gen.NotModifiedResponseHeaders{ETag: tag}}, nil
	}
	row, content, err := f.images.Open(ctx, target.AccountID, target.ImageID)
	if err != nil {
		return nil, missingFile(err)
	}
	// What is encrypted cannot be read from the middle, and a picture is small.
	raw, err := io.ReadAll(content)
	if err := errors.Join(err, content.Close()); err != nil {
		return nil, err
	}
	p := pictureFile{content: raw, mediaType: row.MediaType, name: row.ID, tag: tag, caching: "public, max-age=31536000, immutable"}
	if target.Expires != 0 {
		p.caching = "private, max-age=300"
	}
	if request.Params.Range != nil && oneRange.MatchString(*request.Params.Range) {
		p.part = *request.Params.Range
	}
	return p, nil
}

func missingFile(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return errNoFile
	}
	return err
}

// pictureFile is a picture, or a part of it, with what keeps browsers from taking it for anything else.
type pictureFile struct {
	content              []byte
	mediaType, name, tag string
	caching, part        string
}

// VisitGetFileResponse writes the picture, or the part that is wanted.
func (p pictureFile) VisitGetFileResponse(w http.ResponseWriter) error {
	extension := ".png"
	if p.mediaType == "image/jpeg" {
		extension = ".jpg"
	}
	h := w.Header()
	h.Set("Content-Type", p.mediaType)
	h.Set("ETag", p.tag)
	h.Set("Cache-Control", p.caching)
	h.Set("Content-Disposition", `inline; filename="`+p.name+extension+`"`)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	wanted := &http.Request{Method: http.MethodGet, Header: http.Header{}}
	if p.part != "" {
		wanted.Header.Set("Range", p.part)
	}
	http.ServeContent(w, wanted, "", time.Time{}, bytes.NewReader(p.content))
	return nil
}
