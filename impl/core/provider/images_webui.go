package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"parley/impl/core/fault"
	"parley/impl/outbound"
)

// WebUIOptions describe a Stable Diffusion web UI with its API switched on.
type WebUIOptions struct {
	BaseURL string       // without /sdapi
	Key     string       // sent as Bearer, for those behind a proxy that wants one
	Client  *http.Client // outbound.NewOperatorClient by default; must not follow redirects

	PollEvery time.Duration // how often progress is asked for; 2 s
}

// WebUI makes pictures by the API of Stable Diffusion web UIs: AUTOMATIC1111, Forge, SD.Next.
// Its models are their checkpoints. It has no language model.
type WebUI struct{ opts WebUIOptions }

var (
	_ Provider = (*WebUI)(nil)
	_ Painter  = (*WebUI)(nil)
)

// NewWebUI returns a provider for the web UI that o describes. It does not contact it.
func NewWebUI(o WebUIOptions) *WebUI {
	setDefault(&o.PollEvery, 2*time.Second)
	if o.Client == nil {
		o.Client = outbound.NewOperatorClient(0)
	}
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	return &WebUI{opts: o}
}

// Chat implements Provider by refusing.
func (*WebUI) Chat(context.Context, Request, func(Delta) error) (Result, error) {
	return Result{}, fault.New(fault.Invalid, "The model makes pictures, no text.")
}

// Models implements Provider with the web UI's checkpoints.
func (u *WebUI) Models(ctx context.Context) ([]Model, error) {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	raw, err := get(limited, u.opts.Client, u.opts.BaseURL+"/sdapi/v1/sd-models", u.opts.Key, modelListBytesMax)
	if err != nil {
		return nil, paintFault(limited, ctx, err)
	}
	var listed []struct {
		Title string `json:"title"`
		Name  string `json:"model_name"`
	}
	if err := json.Unmarshal(raw, &listed); err != nil {
		return nil, faultOf(errBadJSON)
	}
	models := []Model{}
	seen := map[string]bool{}
	for _, m := range listed {
		if name := clean(m.Name); name == m.Name && name != "" && len(name) <= modelNameBytesMax && !seen[name] && len(models) < modelsMax {
			seen[name] = true
			models = append(models, Model{ID: name, Name: name})
		}
	}
	return models, nil
}

// Paint implements Painter with POST /sdapi/v1/txt2img, asking meanwhile how far it is.
func (u *WebUI) Paint(ctx context.Context, d Drawing, progress func(int)) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, PictureTimeout)
	defer cancel()
	body := map[string]any{
		"prompt": d.Prompt, "seed": d.seed(), "steps": 20, "n_iter": 1, "batch_size": 1, "send_images": true, "save_images": false,
		"width": orDefault(d.Width), "height": orDefault(d.Height),
		"override_settings": map[string]any{"sd_model_checkpoint": d.Model},
	}
	made := make(chan struct{})
	watched := make(chan struct{})
	go func() { defer close(watched); u.watch(limited, made, progress) }()
	raw, err := post(limited, u.opts.Client, u.opts.BaseURL+"/sdapi/v1/txt2img", u.opts.Key, body, 2*PictureBytesMax)
	close(made)
	<-watched
	if err == nil {
		raw, err = firstPicture(raw)
	}
	if err != nil {
		u.interrupt(limited)
		return nil, paintFault(limited, ctx, err)
	}
	progress(100)
	return raw, nil
}

func orDefault(side int) int {
	if side == 0 {
		return 512
	}
	return side
}

func firstPicture(raw []byte) ([]byte, error) {
	var answer struct {
		Images []string `json:"images"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || len(answer.Images) == 0 {
		return nil, errBadPicture
	}
	return decodePicture(answer.Images[0])
}

// watch tells the progress until the picture is made. What goes wrong with it does not matter.
func (u *WebUI) watch(ctx context.Context, made <-chan struct{}, progress func(int)) {
	tick := time.NewTicker(u.opts.PollEvery)
	defer tick.Stop()
	for {
		select {
		case <-made:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		raw, err := get(ctx, u.opts.Client, u.opts.BaseURL+"/sdapi/v1/progress?skip_current_image=true", u.opts.Key, errorBodyBytesMax)
		var answer struct {
			Progress float64 `json:"progress"`
		}
		if err == nil && json.Unmarshal(raw, &answer) == nil && answer.Progress > 0 && answer.Progress <= 1 {
			progress(int(answer.Progress * 99))
		}
	}
}

// interrupt stops a picture that nobody waits for any more: the web UI would go on with it.
func (u *WebUI) interrupt(ctx context.Context) {
	if !errors.Is(ctx.Err(), context.Canceled) && !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return
	}
	brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = post(brief, u.opts.Client, u.opts.BaseURL+"/sdapi/v1/interrupt", u.opts.Key, struct{}{}, errorBodyBytesMax)
}
