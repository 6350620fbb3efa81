package characters

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"parley/db"
	gen "parley/gen/characters"
	"parley/impl/core/conversation"
	"parley/impl/core/fault"
	"parley/impl/core/file"
	"parley/impl/core/image"
	"parley/impl/httpd"
)

// asyncWait is how long a request waits that allows an early answer and does not say.
const asyncWait = 20 * time.Second

// linkLife is how long an address of what people sent leads to it.
const linkLife = 24 * time.Hour

// pictures turns images into the words of seed 002, with addresses that lead to them.
type pictures struct {
	links *file.Links
	base  string // the server's public address; "" takes the one that the client addressed
}

func (p pictures) url(ctx context.Context, i db.Image) string {
	base := strings.TrimSuffix(p.base, "/")
	if base == "" {
		base = httpd.Origin(ctx)
	}
	return base + p.links.Path(i.AccountID, i.ID, i.MediaType, p.expiry(i))
}

// expiry is when an address of an image ends that is made now; zero: never. What
// people sent is private, what was made is public to whoever has the address.
func (p pictures) expiry(i db.Image) time.Time {
	if i.Purpose != db.ImageUpload {
		return time.Time{}
	}
	return p.links.Now().Add(linkLife).Truncate(time.Second)
}

func (p pictures) toAPIImage(ctx context.Context, i db.Image) gen.Image {
	return gen.Image{ID: i.ID, Prompt: i.Prompt, URL: p.url(ctx, i), CreatedAt: i.CreatedAt.UTC()}
}

func toAPIProgress(i db.Image) gen.ImageProgress {
	return gen.ImageProgress{
		ID: i.ID, Prompt: i.Prompt, Status: gen.ImageProgressStatusInProgress, Progress: int32(i.Progress), //nolint:gosec // per cent
		CreatedAt: i.CreatedAt.UTC(),
	}
}

type images struct {
	pictures
	service       *image.Service
	conversations *conversation.Service
}

// ListImages lists the account's images, the newest first.
func (x images) ListImages(ctx context.Context, request gen.ListImagesRequestObject) (gen.ListImagesResponseObject, error) {
	page, size := *request.Params.Page, *request.Params.PageSize
	rows, total, err := x.service.List(ctx, httpd.Caller(ctx).AccountID, int(page), int(size))
	if err != nil {
		return nil, err
	}
	out := gen.ImagePage{Data: make([]gen.Image, len(rows)), Pagination: pagination(total, page, size)}
	for i, row := range rows {
		out.Data[i] = x.toAPIImage(ctx, row)
	}
	return gen.ListImages200JSONResponse(out), nil
}

// pagination says where a page stands, with nulls where there is no neighbour.
func pagination(total int64, page, size int32) gen.ImagePagination {
	p := gen.ImagePagination{
		TotalItems: total, CurrentPage: page, PageSize: size, TotalPages: int64(math.Ceil(float64(total) / float64(size))),
	}
	if int64(page) < p.TotalPages {
		next := page + 1
		p.NextPage = &next
	}
	if page > 1 {
		before := page - 1
		p.PrevPage = &before
	}
	return p
}

// CreateImage makes an image and waits for it, as long as the client wants to.
func (x images) CreateImage(ctx context.Context, request gen.CreateImageRequestObject) (gen.CreateImageResponseObject, error) {
	caller, body := httpd.Caller(ctx), request.Body
	if body.ConversationID != nil {
		if _, err := x.conversations.Get(ctx, caller.AccountID, surface, "", *body.ConversationID); err != nil {
			return nil, err
		}
	}
	begun, err := x.service.Begin(ctx, image.Input{
		Caller: caller, Surface: surface, Purpose: db.ImageListed, ModelID: body.SDModelID, Prompt: body.Prompt, ConversationID: body.ConversationID,
	})
	if err != nil {
		return nil, err
	}
	row, err := x.service.Wait(ctx, caller.AccountID, begun.ID, patience(text(request.Params.Prefer)))
	if err != nil {
		return nil, err
	}
	location := "/api/v1/images/" + row.ID
	if row.State == db.ImageWaiting {
		return gen.CreateImage202JSONResponse{
			Body: toAPIProgress(row), Headers: gen.CreateImage202ResponseHeaders{Location: location, ParleyTurn: *row.TurnID},
		}, nil
	}
	return gen.CreateImage201JSONResponse{
		Body: x.toAPIImage(ctx, row), Headers: gen.CreateImage201ResponseHeaders{Location: location, ParleyTurn: *row.TurnID},
	}, nil
}

// patience fires when a request with a Prefer header is to be answered; nil: not before its end.
func patience(header string) <-chan time.Time {
	wait, async := preference(header)
	if !async {
		return nil
	}
	return time.After(wait)
}

// preference reads a Prefer header: whether 202 is welcome, and after how long.
func preference(header string) (wait time.Duration, async bool) {
	wait = asyncWait
	for part := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		name, value, _ := strings.Cut(strings.ToLower(part), "=")
		seconds, err := strconv.Atoi(value)
		switch {
		case name == "respond-async":
			async = true
		case name == "wait" && err == nil && seconds >= 0 && seconds <= 600:
			wait = time.Duration(seconds) * time.Second
		}
	}
	return wait, async
}

// GetImage returns one image, or how far it is.
func (x images) GetImage(ctx context.Context, request gen.GetImageRequestObject) (gen.GetImageResponseObject, error) {
	row, err := x.service.Get(ctx, httpd.Caller(ctx).AccountID, request.ImageID)
	switch {
	case err != nil:
		return nil, err
	case row.State == db.ImageReady:
		return gen.GetImage200JSONResponse(x.toAPIImage(ctx, row)), nil
	case row.State == db.ImageFailed:
		return nil, fault.New(fault.NotFound, "The image could not be made")
	}
	return gen.GetImage202JSONResponse(toAPIProgress(row)), nil
}

// DeleteImage removes an image.
func (x images) DeleteImage(ctx context.Context, request gen.DeleteImageRequestObject) (gen.DeleteImageResponseObject, error) {
	if err := x.service.Delete(ctx, httpd.Caller(ctx).AccountID, request.ImageID); err != nil {
		return nil, err
	}
	return gen.DeleteImage204Response{}, nil
}

// created is the body of a creation that was answered by a picture's turn, with where it is.
type created struct {
	body     any
	location string
}

// MarshalJSON is that of the body.
func (c created) MarshalJSON() ([]byte, error) { return json.Marshal(c.body) }

// Location is where the thing is.
func (c created) Location() string { return c.location }

// Repeated gives the answer to the request of a picture's turn once more.
func Repeated(s Services) func(ctx context.Context, t db.Turn) (any, error) {
	p := pictures{links: s.Links, base: s.PublicURL}
	return func(ctx context.Context, t db.Turn) (any, error) {
		row, err := s.Images.OfTurn(ctx, t.AccountID, t.ID)
		if err == nil {
			row, err = s.Images.Wait(ctx, t.AccountID, row.ID, nil)
		}
		if err != nil {
			return nil, err
		}
		if row.AgentID == nil {
			return created{p.toAPIImage(ctx, row), "/api/v1/images/" + row.ID}, nil
		}
		a, err := s.Agents.Get(ctx, t.AccountID, *row.AgentID)
		if err != nil {
			return nil, err
		}
		return created{p.toAPIAgentWith(ctx, a, row), "/api/v1/agents/" + a.ID}, nil
	}
}
