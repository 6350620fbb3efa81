package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"parley/db"
	"parley/impl/app"
	"parley/impl/core/key"
	"parley/impl/core/user"
)

type usersCmd struct {
	Create usersCreateCmd `cmd:"" help:"Invite a person and print a one-time token that sets their password."`
	List   usersListCmd   `cmd:"" help:"List an account's people."`
	Link   usersLinkCmd   `cmd:"" help:"Print a new one-time token that sets a person's password."`
	Delete usersDeleteCmd `cmd:"" help:"Remove a person and end their sessions."`
}

// userJSON is a person as programs read it; Token is set only when it is made.
type userJSON struct {
	ID           string     `json:"id"`
	Token        string     `json:"token,omitempty"`
	AccountID    string     `json:"account_id"`
	Email        string     `json:"email"`
	Name         string     `json:"name"`
	Role         string     `json:"role"`
	Status       string     `json:"status"`
	CreatedAt    time.Time  `json:"created_at"`
	LastSignInAt *time.Time `json:"last_sign_in_at"`
}

func toUserJSON(u db.User, token string) userJSON {
	status := "active"
	if !u.Active {
		status = "inactive"
	}
	return userJSON{
		ID: u.ID, Token: token, AccountID: u.AccountID, Email: u.Email, Name: u.Name, Role: u.Role, Status: status,
		CreatedAt: u.CreatedAt, LastSignInAt: u.LastSignInAt,
	}
}

func (c *cli) printInvitation(made user.Invited) error {
	return c.print(toUserJSON(made.User, made.Link), func(w io.Writer) {
		fmt.Fprintf(w, "%s\t%s\t%s\n\nSet the password within three days, for example by\n\n", made.ID, made.Email, made.Role)
		fmt.Fprintf(w, "  curl -s http://%s/api/v1/sign-in/password -H 'Content-Type: application/json' -d '{\"token\": \"%s\", \"new_password\": \"…\"}'\n",
			c.Listen, made.Link)
	})
}

type usersCreateCmd struct {
	Email   string `required:"" help:"E-mail address to sign in with."`
	Name    string `help:"Name."`
	Role    string `enum:"owner,admin,member" default:"member" help:"owner rules everything, admin everything but owners, member uses the surfaces."`
	Account string `help:"Id or name of the account; the first account by default."`
}

// Run invites a person.
func (u usersCreateCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		account, err := s.Accounts.Find(ctx, u.Account)
		if err != nil {
			return err
		}
		made, err := s.Users.Create(ctx, user.CreateInput{AccountID: account.ID, Email: u.Email, Name: u.Name, Role: key.Role(u.Role)})
		if err != nil {
			return err
		}
		return c.printInvitation(made)
	})
}

type usersListCmd struct {
	Account string `help:"Id or name of the account; the first account by default."`
}

// Run lists people.
func (u usersListCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		account, err := s.Accounts.Find(ctx, u.Account)
		if err != nil {
			return err
		}
		people, err := s.Users.List(ctx, account.ID, "", 10_000)
		if err != nil {
			return err
		}
		rows := make([]userJSON, len(people))
		for i, row := range people {
			rows[i] = toUserJSON(row, "")
		}
		return c.print(rows, func(w io.Writer) {
			fmt.Fprintln(w, "ID\tEMAIL\tROLE\tSTATUS\tLAST SIGN-IN")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Email, r.Role, r.Status, lastUsed(r.LastSignInAt))
			}
		})
	})
}

type usersLinkCmd struct {
	Email string `arg:"" help:"E-mail address of the person."`
}

// Run gives a person a new one-time token.
func (u usersLinkCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		found, err := s.Users.Find(ctx, u.Email)
		if err != nil {
			return err
		}
		made, err := s.Users.Link(ctx, found.AccountID, nil, found.ID)
		if err != nil {
			return err
		}
		return c.printInvitation(made)
	})
}

type usersDeleteCmd struct {
	Email string `arg:"" help:"E-mail address of the person."`
}

// Run removes a person.
func (u usersDeleteCmd) Run(ctx context.Context, c *cli) error {
	return c.withServices(ctx, func(s *app.Services) error {
		found, err := s.Users.Find(ctx, u.Email)
		if err != nil {
			return err
		}
		if err := s.Users.Delete(ctx, found.AccountID, nil, found.ID); err != nil {
			return err
		}
		return c.print(map[string]any{"id": found.ID, "deleted": true}, func(w io.Writer) { fmt.Fprintln(w, found.Email, "removed") })
	})
}
