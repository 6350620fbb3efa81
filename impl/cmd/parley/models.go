package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"parley/db"
	"parley/impl/app"
	"parley/impl/core/model"
	"parley/impl/core/money"
)

type providersCmd struct {
	Add  providersAddCmd  `cmd:"" help:"Add an OpenAI-compatible provider and offer its models."`
	List providersListCmd `cmd:"" help:"List the providers."`
}

type providersAddCmd struct {
	Name    string `required:"" help:"Name of the provider."`
	BaseURL string `name:"base-url" required:"" help:"Base URL including /v1."`
	Key     string `name:"key" env:"PARLEY_PROVIDER_KEY" help:"Key of the provider; stored sealed."`
	Account string `help:"Id or name of the only account that may use it; every account by default."`
}

// accountID is the account that an option names; "" is every account.
func accountID(ctx context.Context, s *app.Services, nameOrID string) (string, error) {
	if nameOrID == "" {
		return db.Everyone, nil
	}
	a, err := s.Accounts.Find(ctx, nameOrID)
	return a.ID, err
}

// Run adds a provider.
func (p providersAddCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		owner, err := accountID(ctx, s, p.Account)
		if err != nil {
			return err
		}
		added, n, err := s.Models.Add(ctx, model.AddInput{AccountID: owner, Name: p.Name, BaseURL: p.BaseURL, Key: p.Key})
		if err != nil {
			return err
		}
		return c.print(map[string]any{"id": added, "models": n}, func(w io.Writer) {
			fmt.Fprintf(w, "%s\t%d models\n", added, n)
		})
	})
}

type providersListCmd struct {
	Account string `help:"Id or name of an account, to see its own too."`
}

type providerJSON struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Kind      string    `json:"kind"`
	BaseURL   string    `json:"base_url"`
	HasKey    bool      `json:"has_key"`
	CreatedAt time.Time `json:"created_at"`
}

// Run lists providers.
func (p providersListCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		owner, err := accountID(ctx, s, p.Account)
		if err != nil {
			return err
		}
		rows, err := s.Models.Providers(ctx, owner)
		if err != nil {
			return err
		}
		out := make([]providerJSON, len(rows))
		for i, r := range rows {
			out[i] = providerJSON{ID: r.ID, Name: r.Name, Kind: r.Kind, BaseURL: r.BaseURL, HasKey: r.SealedKey != nil, CreatedAt: r.CreatedAt}
		}
		return c.print(out, func(w io.Writer) {
			fmt.Fprintln(w, "ID\tNAME\tKIND\tBASE URL")
			for _, r := range out {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, r.Name, r.Kind, r.BaseURL)
			}
		})
	})
}

type modelsCmd struct {
	List     modelsListCmd     `cmd:"" help:"List the models."`
	SetPrice modelsSetPriceCmd `cmd:"" name:"set-price" help:"Set a model's price."`
	Fallback modelsFallbackCmd `cmd:"" help:"Set which models answer when a model's provider refuses or is down."`
	Alias    modelsAliasCmd    `cmd:"" help:"Let a name that clients send mean a model, or list what names mean."`
}

type modelsListCmd struct {
	Type    string `enum:"llm,sd,embedding,transcription,speech" default:"llm" help:"llm, sd, embedding, transcription or speech."`
	Account string `help:"Id or name of an account, to see its own too."`
}

type modelJSON struct {
	ID                string `json:"id"`
	Name              string `json:"name"`
	Provider          string `json:"provider_id"`
	ContextTokens     int    `json:"context_tokens"`
	InputMicrosPer1K  int64  `json:"input_micros_per_1k"`
	OutputMicrosPer1K int64  `json:"output_micros_per_1k"`
	ImageMicros       int64  `json:"image_micros"`
}

// Run lists models.
func (m modelsListCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		owner, err := accountID(ctx, s, m.Account)
		if err != nil {
			return err
		}
		rows, err := s.Models.List(ctx, owner, m.Type, math.MinInt32, "", 10_000)
		if err != nil {
			return err
		}
		out := make([]modelJSON, len(rows))
		for i, r := range rows {
			out[i] = modelJSON{ID: r.ID, Name: r.Name, Provider: r.ProviderID, ContextTokens: r.ContextTokens,
				InputMicrosPer1K: r.InputMicrosPer1K, OutputMicrosPer1K: r.OutputMicrosPer1K, ImageMicros: r.ImageMicros}
		}
		return c.print(out, func(w io.Writer) {
			fmt.Fprintln(w, "ID\tPROVIDER\tINPUT/1K\tOUTPUT/1K\tIMAGE")
			for _, r := range out {
				fmt.Fprintf(w, "%s\t%s\t%.6f\t%.6f\t%.6f\n", r.ID, r.Provider, money.Decimal(r.InputMicrosPer1K),
					money.Decimal(r.OutputMicrosPer1K), money.Decimal(r.ImageMicros))
			}
		})
	})
}

type modelsSetPriceCmd struct {
	ID      string  `arg:"" help:"Id of the model."`
	Input   float64 `help:"Currency units per 1,000 input tokens, up to six decimals."`
	Output  float64 `help:"Currency units per 1,000 output tokens, up to six decimals."`
	Image   float64 `help:"Currency units per picture, up to six decimals."`
	Account string  `help:"Id or name of the account that owns the model; everyone's by default."`
}

// Run prices a model.
func (m modelsSetPriceCmd) Run(ctx context.Context, c *cli) error {
	micros := func(units float64) int64 { return int64(math.Round(units * money.Unit)) }
	return c.withServices(ctx, func(s *app.Services) error {
		owner, err := accountID(ctx, s, m.Account)
		if err != nil {
			return err
		}
		if err := s.Models.SetPrice(ctx, owner, m.ID, micros(m.Input), micros(m.Output), micros(m.Image)); err != nil {
			return err
		}
		return c.print(map[string]any{"id": m.ID, "input_micros_per_1k": micros(m.Input), "output_micros_per_1k": micros(m.Output),
			"image_micros": micros(m.Image)}, func(w io.Writer) { fmt.Fprintln(w, m.ID, "priced") })
	})
}

type modelsFallbackCmd struct {
	ID        string   `arg:"" help:"Id of the model."`
	Fallbacks []string `arg:"" optional:"" sep:"," help:"Ids of up to five other models, in the order in which they are tried; none ends the fallback."`
	Account   string   `help:"Id or name of the account that owns the model; everyone's by default."`
}

// Run sets a model's fallbacks.
func (m modelsFallbackCmd) Run(ctx context.Context, c *cli) error {
	fallbacks := append([]string{}, m.Fallbacks...)
	return c.withServices(ctx, func(s *app.Services) error {
		owner, err := accountID(ctx, s, m.Account)
		if err != nil {
			return err
		}
		if err := s.Models.SetFallbacks(ctx, owner, m.ID, fallbacks); err != nil {
			return err
		}
		return c.print(map[string]any{"id": m.ID, "fallback_ids": fallbacks}, func(w io.Writer) {
			if len(fallbacks) == 0 {
				fmt.Fprintln(w, m.ID, "has no fallbacks")
				return
			}
			fmt.Fprintln(w, m.ID, "falls back to", strings.Join(fallbacks, ", "))
		})
	})
}
