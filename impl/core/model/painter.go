package model

import (
	"context"
	"errors"
	"strings"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/provider"
)

// The kinds of stored providers.
const (
	ProviderOpenAI = "openai"  // any OpenAI-compatible API
	ProviderWebUI  = "sdwebui" // a Stable Diffusion web UI
)

// Painter returns the sd model with an id and what makes its pictures. An
// unknown id, or one of another kind, is an Invalid fault.
func (c *Catalog) Painter(ctx context.Context, accountID, modelID string) (db.Model, provider.Painter, error) {
	m, err := c.model(ctx, accountID, modelID)
	if errors.Is(err, db.ErrNotFound) {
		return db.Model{}, nil, fault.New(fault.Invalid, "There is no sd model with this id")
	}
	if err != nil {
		return db.Model{}, nil, err
	}
	if m.Kind != KindSD {
		return db.Model{}, nil, fault.New(fault.Invalid, "The model with this id makes no pictures: its type is %s, not sd", m.Kind)
	}
	p, err := c.ProviderOf(ctx, accountID, m)
	if err != nil {
		return db.Model{}, nil, err
	}
	painter, ok := p.(provider.Painter)
	if !ok {
		return db.Model{}, nil, fault.New(fault.Unavailable, "The model's provider makes no pictures.")
	}
	return m, painter, nil
}

// pictureNames are how models are called that make pictures; upstreams do not say what a model is for.
var pictureNames = []string{"dall-e", "gpt-image", "stable-diffusion", "sdxl", "sd3", "flux", "imagen", "midjourney", "kandinsky", "playground-v"}

// kindOf is the kind of a model that a provider offers, as far as its name tells.
func kindOf(p db.Provider, name string) string {
	name = strings.ToLower(name)
	if p.Kind == ProviderWebUI {
		return KindSD
	}
	for _, part := range pictureNames {
		if strings.Contains(name, part) {
			return KindSD
		}
	}
	return KindLLM
}
