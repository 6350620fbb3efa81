package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"parley/db"
	gen "parley/gen/openai"
	"parley/impl/core/agent"
	"parley/impl/core/fault"
	"parley/impl/core/file"
	"parley/impl/core/image"
	"parley/impl/core/model"
	"parley/impl/httpd"
)

// Pictures are what making pictures takes.
type Pictures struct {
	Images    *image.Service
	Models    *model.Catalog
	Links     *file.Links
	PublicURL string // where clients reach the server; "" takes the address that they used
}

// pictureOptions are what a request asks of its answer; they are stored with the turn.
type pictureOptions struct {
	Encoded bool `json:"encoded,omitempty"`
}

type pictures struct{ Pictures }

// CreateOpenaiImage makes a picture and waits for it.
func (p pictures) CreateOpenaiImage(ctx context.Context, request gen.CreateOpenaiImageRequestObject) (gen.CreateOpenaiImageResponseObject, error) {
	caller, body := httpd.Caller(ctx), request.Body
	if caller.EndUser == "" && body.User != nil {
		caller.EndUser = *body.User
	}
	modelID, err := p.modelID(ctx, caller.AccountID, body.Model)
	if err != nil {
		return nil, err
	}
	options := pictureOptions{Encoded: body.ResponseFormat != nil && *body.ResponseFormat == gen.OpenaiImageRequestResponseFormatB64Json}
	in := image.Input{Caller: caller, Surface: surface, Purpose: db.ImageListed, ModelID: modelID, Prompt: body.Prompt, Options: options}
	if body.Size != nil && *body.Size != gen.OpenaiImageRequestSizeAuto {
		in.Width, in.Height = sides(string(*body.Size))
	}
	begun, err := p.Images.Begin(ctx, in)
	if err != nil {
		return nil, err
	}
	row, err := p.Images.Wait(ctx, caller.AccountID, begun.ID, nil)
	if err != nil {
		return nil, err
	}
	answer, err := p.answer(ctx, row, options)
	if err != nil {
		return nil, err
	}
	return gen.CreateOpenaiImage200JSONResponse{Body: answer, Headers: gen.CreateOpenaiImage200ResponseHeaders{ParleyTurn: *row.TurnID}}, nil
}

func sides(size string) (width, height int) {
	_, _ = fmt.Sscanf(size, "%dx%d", &width, &height) // one of the document's
	return width, height
}

// modelID is the sd model that a name means: itself, the default for none,
// and any name while the built-in model is all there is.
func (p pictures) modelID(ctx context.Context, accountID string, name *string) (string, error) {
	if name != nil {
		err := p.Models.Check(ctx, accountID, model.KindSD, *name)
		if err == nil {
			return *name, nil
		}
		if fault.KindOf(err) != fault.Invalid {
			return "", err
		}
	}
	first, err := p.Models.Default(ctx, accountID, model.KindSD)
	if errors.Is(err, db.ErrNotFound) || err == nil && name != nil && first.ProviderID != model.BuiltInProvider {
		return "", agent.ErrNoModel
	}
	return first.ID, err
}

func (p pictures) answer(ctx context.Context, row db.Image, options pictureOptions) (gen.OpenaiImages, error) {
	out := gen.OpenaiImages{Created: row.CreatedAt.Unix(), Data: make([]gen.OpenaiImage, 1)}
	if !options.Encoded {
		base := strings.TrimSuffix(p.PublicURL, "/")
		if base == "" {
			base = httpd.Origin(ctx)
		}
		address := base + p.Links.Path(row.AccountID, row.ID, row.MediaType, time.Time{})
		out.Data[0].URL = &address
		return out, nil
	}
	_, content, err := p.Images.Open(ctx, row.AccountID, row.ID)
	if err != nil {
		return out, err
	}
	raw, err := io.ReadAll(content)
	if err := errors.Join(err, content.Close()); err != nil {
		return out, err
	}
	out.Data[0].B64Json = raw // base64 in JSON
	return out, nil
}

// Repeated gives the answer to the request of a picture's turn once more.
func Repeated(with Pictures) func(ctx context.Context, t db.Turn) (any, error) {
	p := pictures{with}
	return func(ctx context.Context, t db.Turn) (any, error) {
		row, err := p.Images.OfTurn(ctx, t.AccountID, t.ID)
		if err == nil {
			row, err = p.Images.Wait(ctx, t.AccountID, row.ID, nil)
		}
		if err != nil {
			return nil, err
		}
		var options pictureOptions
		_ = json.Unmarshal(t.Options, &options) // stored by us in this shape
		return p.answer(ctx, row, options)
	}
}
