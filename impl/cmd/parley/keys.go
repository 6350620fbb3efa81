package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"parley/db"
	"parley/impl/app"
	"parley/impl/core/key"
)

type keysCmd struct {
	Create keysCreateCmd `cmd:"" help:"Create a key and print it, once."`
	List   keysListCmd   `cmd:"" help:"List an account's keys."`
	Revoke keysRevokeCmd `cmd:"" help:"Make a key invalid for good."`
}

type keysCreateCmd struct {
	Name        string     `required:"" help:"Name to recognise the key by."`
	Account     string     `help:"Id or name of the account; the first account by default."`
	Plan        string     `help:"A plan of the key's own: free, pro, unlimited."`
	Kind        string     `enum:"secret,publishable" default:"secret" help:"secret for servers, publishable for web pages."`
	Scopes      []string   `sep:"," help:"What the key may do; every surface but the platform by default."`
	Origins     []string   `sep:"," help:"Origins whose pages may use the key."`
	Agents      []string   `sep:"," help:"Ids of the agents that may answer through the key; all by default."`
	Environment string     `enum:"development,production" default:"development" help:"A label."`
	Expires     *time.Time `format:"2006-01-02T15:04:05Z07:00" help:"When the key ends (RFC 3339)."`
	App         string     `help:"An app to make another key for; a new app by default."`
	Agent       string     `help:"The agent that answers for the new app."`
	Project     int64      `help:"The project that the new app answers from."`
}

// keyJSON is a key as programs read it; Key is set only when it is made.
type keyJSON struct {
	ID          string     `json:"id"`
	Key         string     `json:"key,omitempty"`
	Name        string     `json:"name"`
	AccountID   string     `json:"account_id"`
	AppID       string     `json:"app_id"`
	Kind        string     `json:"kind"`
	Prefix      string     `json:"prefix"`
	Scopes      []string   `json:"scopes"`
	Origins     []string   `json:"origins"`
	Agents      []string   `json:"agents"`
	Plan        *string    `json:"plan"`
	Environment string     `json:"environment"`
	Status      string     `json:"status"`
	CreatedAt   time.Time  `json:"created_at"`
	LastUsedAt  *time.Time `json:"last_used_at"`
	ExpiresAt   *time.Time `json:"expires_at"`
}

func toKeyJSON(k db.Key, text string) keyJSON {
	status := "active"
	if !k.Active {
		status = "inactive"
	}
	return keyJSON{
		ID: k.ID, Key: text, Name: k.Name, AccountID: k.AccountID, AppID: k.AppID, Kind: k.Kind, Prefix: k.Prefix,
		Scopes: k.Scopes, Origins: k.Origins, Agents: k.Agents, Plan: k.Plan, Environment: k.Environment, Status: status,
		CreatedAt: k.CreatedAt, LastUsedAt: k.LastUsedAt, ExpiresAt: k.ExpiresAt,
	}
}

// Run makes a key.
func (k keysCreateCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		account, err := s.Accounts.Find(ctx, k.Account)
		if err != nil {
			return err
		}
		created, err := s.Keys.Create(ctx, key.CreateInput{
			AccountID: account.ID, Name: k.Name, Kind: key.Kind(k.Kind), Scopes: k.Scopes, Origins: k.Origins, Agents: k.Agents,
			Plan: k.Plan, Environment: k.Environment, ExpiresAt: k.Expires, AppID: k.App, AgentID: k.Agent, ProjectID: k.Project,
		})
		if err != nil {
			return err
		}
		return c.print(toKeyJSON(created.Key, created.Text), func(w io.Writer) {
			fmt.Fprintf(w, "%s\t%s\n\nKeep it: it is not shown again.\n", created.ID, created.Text)
		})
	})
}

type keysListCmd struct {
	Account string `help:"Id or name of the account; the first account by default."`
}

// Run lists keys.
func (k keysListCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		account, err := s.Accounts.Find(ctx, k.Account)
		if err != nil {
			return err
		}
		keys, err := s.Keys.List(ctx, account.ID, "", 10_000)
		if err != nil {
			return err
		}
		rows := make([]keyJSON, len(keys))
		for i, row := range keys {
			rows[i] = toKeyJSON(row, "")
		}
		return c.print(rows, func(w io.Writer) {
			fmt.Fprintln(w, "ID\tNAME\tPREFIX\tKIND\tCREATED\tLAST USED\tSTATUS")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, r.Name, r.Prefix, r.Kind,
					r.CreatedAt.Format(time.DateTime), lastUsed(r.LastUsedAt), r.Status)
			}
		})
	})
}

func lastUsed(at *time.Time) string {
	if at == nil {
		return "Never"
	}
	return at.Format(time.DateTime)
}

type keysRevokeCmd struct {
	ID string `arg:"" help:"Id of the key."`
}

// Run revokes a key.
func (k keysRevokeCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		if err := s.Keys.Revoke(ctx, k.ID); err != nil {
			return err
		}
		return c.print(map[string]any{"id": k.ID, "revoked": true}, func(w io.Writer) { fmt.Fprintln(w, k.ID, "revoked") })
	})
}
