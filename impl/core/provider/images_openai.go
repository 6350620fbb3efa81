package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

var _ Painter = (*OpenAI)(nil)

// Paint implements Painter with the upstream's POST /images/generations.
// Whether a model takes response_format is learnt from its refusal: some answer
// in base64 only. A picture named by an address is fetched from there, when it is the upstream's own host.
func (o *OpenAI) Paint(ctx context.Context, d Drawing, progress func(int)) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, PictureTimeout)
	defer cancel()
	body := map[string]any{"model": d.Model, "prompt": d.Prompt, "n": 1, "response_format": "b64_json"}
	if d.Width > 0 && d.Height > 0 {
		body["size"] = fmt.Sprintf("%dx%d", d.Width, d.Height)
	}
	if d.EndUser != "" {
		body["user"] = d.EndUser
	}
	raw, err := o.paint(limited, body)
	if e, ok := errors.AsType[*statusError](err); ok && e.status == http.StatusBadRequest && e.mentions([]byte("response_format")) {
		delete(body, "response_format")
		raw, err = o.paint(limited, body)
	}
	if err == nil {
		raw, err = o.pictureIn(limited, raw)
	}
	if err != nil {
		return nil, paintFault(limited, ctx, err)
	}
	progress(100)
	return raw, nil
}

func (o *OpenAI) paint(ctx context.Context, body any) ([]byte, error) {
	const base64Growth = 3 // with room for members around it
	return post(ctx, o.opts.Client, o.address("images/generations"), o.opts.Key, body, base64Growth*PictureBytesMax/2)
}

func (o *OpenAI) pictureIn(ctx context.Context, raw []byte) ([]byte, error) {
	var answer struct {
		Data []struct {
			B64 string `json:"b64_json"`
			URL string `json:"url"`
		} `json:"data"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || len(answer.Data) == 0 {
		return nil, errBadPicture
	}
	first := answer.Data[0]
	if first.B64 != "" || strings.HasPrefix(first.URL, "data:") {
		return decodePicture(first.B64 + first.URL)
	}
	at, err := url.Parse(first.URL)
	own, ownErr := url.Parse(o.opts.BaseURL)
	if err != nil || ownErr != nil || at.Host != own.Host || at.Scheme != own.Scheme {
		return nil, errForeignPicture
	}
	return get(ctx, o.opts.Client, first.URL, o.opts.Key, PictureBytesMax)
}

var errForeignPicture = errors.New("the picture is on another host than the upstream")
