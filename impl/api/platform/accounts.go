package platform

import (
	"context"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/account"
	"parley/impl/core/key"
	"parley/impl/httpd"
)

type accounts struct {
	service *account.Service
	keys    *key.Service
}

// GetOwnAccount returns the caller's account.
func (a accounts) GetOwnAccount(ctx context.Context, _ gen.GetOwnAccountRequestObject) (gen.GetOwnAccountResponseObject, error) {
	row, err := a.service.Get(ctx, httpd.Caller(ctx).AccountID)
	if err != nil {
		return nil, err
	}
	return gen.GetOwnAccount200JSONResponse(toAPIAccount(row)), nil
}

// UpdateOwnAccount changes what the caller's account decides for itself.
func (a accounts) UpdateOwnAccount(ctx context.Context, request gen.UpdateOwnAccountRequestObject) (gen.UpdateOwnAccountResponseObject, error) {
	row, err := a.service.Update(ctx, httpd.Caller(ctx).AccountID, account.UpdateInput{BalanceLow: request.Body.BalanceLowMicros})
	if err != nil {
		return nil, err
	}
	return gen.UpdateOwnAccount200JSONResponse(toAPIAccount(row)), nil
}

// ListAccounts lists all accounts, the newest first.
func (a accounts) ListAccounts(ctx context.Context, request gen.ListAccountsRequestObject) (gen.ListAccountsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := a.service.Page(ctx, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/admin/accounts", rows[limit-1].ID, limit)
	}
	list := make(gen.AccountList, len(rows))
	for i, row := range rows {
		list[i] = toAPIAccount(row)
	}
	return gen.ListAccounts200JSONResponse{Body: list, Headers: gen.ListAccounts200ResponseHeaders{Link: link}}, nil
}

// CreateAccount makes a tenant.
func (a accounts) CreateAccount(ctx context.Context, request gen.CreateAccountRequestObject) (gen.CreateAccountResponseObject, error) {
	row, err := a.service.Create(ctx, request.Body.Name, *request.Body.Plan)
	if err != nil {
		return nil, err
	}
	return gen.CreateAccount201JSONResponse{
		Body: toAPIAccount(row), Headers: gen.CreateAccount201ResponseHeaders{Location: "/api/v1/admin/accounts/" + row.ID},
	}, nil
}

// GetAccount returns one account.
func (a accounts) GetAccount(ctx context.Context, request gen.GetAccountRequestObject) (gen.GetAccountResponseObject, error) {
	row, err := a.service.Get(ctx, request.AccountID)
	if err != nil {
		return nil, err
	}
	return gen.GetAccount200JSONResponse(toAPIAccount(row)), nil
}

// UpdateAccount changes what is given of an account.
func (a accounts) UpdateAccount(ctx context.Context, request gen.UpdateAccountRequestObject) (gen.UpdateAccountResponseObject, error) {
	row, err := a.service.Update(ctx, request.AccountID, account.UpdateInput{Name: request.Body.Name, Plan: request.Body.Plan})
	if err != nil {
		return nil, err
	}
	return gen.UpdateAccount200JSONResponse(toAPIAccount(row)), nil
}

// AdjustBalance adds to or takes from a balance.
func (a accounts) AdjustBalance(ctx context.Context, request gen.AdjustBalanceRequestObject) (gen.AdjustBalanceResponseObject, error) {
	done, err := a.service.Adjust(ctx, request.AccountID, request.Body.AmountMicros, request.Body.Reason)
	if err != nil {
		return nil, err
	}
	return gen.AdjustBalance201JSONResponse{
		EntryID: done.EntryID, AmountMicros: done.Amount, BalanceMicros: done.Account.BalanceMicros,
	}, nil
}

// CreateAccountKey makes a key of another account.
func (a accounts) CreateAccountKey(ctx context.Context, request gen.CreateAccountKeyRequestObject) (gen.CreateAccountKeyResponseObject, error) {
	if _, err := a.service.Get(ctx, request.AccountID); err != nil {
		return nil, err
	}
	made, err := a.keys.Create(ctx, fromAPIKeyCreate(*request.Body, request.AccountID, tenantRuler(httpd.Caller(ctx))))
	if err != nil {
		return nil, err
	}
	return gen.CreateAccountKey201JSONResponse{
		Body: toAPIKeyWithText(made), Headers: gen.CreateAccountKey201ResponseHeaders{Location: "/api/v1/keys/" + made.ID},
	}, nil
}

// tenantRuler is the operator as seen from a tenant's account: over every
// account it holds what the account's own administrator does.
func tenantRuler(c key.Caller) key.Caller {
	c.Scopes = append([]string{key.ScopeAdmin}, c.Scopes...)
	return c
}

func toAPIAccount(a db.Account) gen.Account {
	return gen.Account{
		ID: a.ID, Name: a.Name, Plan: a.Plan, GrantedMicros: a.GrantedMicros, BalanceMicros: a.BalanceMicros,
		HeldMicros: a.HeldMicros, SpentMicros: a.SpentMicros, BalanceLowMicros: a.BalanceLowMicros, CreatedAt: a.CreatedAt.UTC(),
	}
}
