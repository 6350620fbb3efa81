package platform

import (
	"context"

	gen "parley/gen/platform"
	"parley/impl/core/budget"
	"parley/impl/httpd"
)

const budgetsPath = "/api/v1/admin/budgets"

type budgets struct{ service *budget.Service }

// ListBudgets lists the account's budgets, the newest first.
func (b budgets) ListBudgets(ctx context.Context, request gen.ListBudgetsRequestObject) (gen.ListBudgetsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := b.service.List(ctx, httpd.Caller(ctx).AccountID, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(budgetsPath, rows[limit-1].ID, limit)
	}
	list := make(gen.BudgetList, len(rows))
	for i, row := range rows {
		list[i] = toAPIBudget(row)
	}
	return gen.ListBudgets200JSONResponse{Body: list, Headers: gen.ListBudgets200ResponseHeaders{Link: link}}, nil
}

// CreateBudget makes a budget.
func (b budgets) CreateBudget(ctx context.Context, request gen.CreateBudgetRequestObject) (gen.CreateBudgetResponseObject, error) {
	body := request.Body
	made, err := b.service.Create(ctx, budget.CreateInput{
		AccountID: httpd.Caller(ctx).AccountID, Kind: string(body.Kind), Subject: body.Subject, Period: string(body.Period), AmountMicros: body.AmountMicros,
	})
	if err != nil {
		return nil, err
	}
	return gen.CreateBudget201JSONResponse{
		Body: toAPIBudget(made), Headers: gen.CreateBudget201ResponseHeaders{Location: budgetsPath + "/" + made.ID},
	}, nil
}

// GetBudget returns one budget.
func (b budgets) GetBudget(ctx context.Context, request gen.GetBudgetRequestObject) (gen.GetBudgetResponseObject, error) {
	row, err := b.service.Get(ctx, httpd.Caller(ctx).AccountID, request.BudgetID)
	if err != nil {
		return nil, err
	}
	return gen.GetBudget200JSONResponse(toAPIBudget(row)), nil
}

// UpdateBudget gives a budget another amount.
func (b budgets) UpdateBudget(ctx context.Context, request gen.UpdateBudgetRequestObject) (gen.UpdateBudgetResponseObject, error) {
	row, err := b.service.Update(ctx, httpd.Caller(ctx).AccountID, request.BudgetID, request.Body.AmountMicros)
	if err != nil {
		return nil, err
	}
	return gen.UpdateBudget200JSONResponse(toAPIBudget(row)), nil
}

// DeleteBudget ends a budget.
func (b budgets) DeleteBudget(ctx context.Context, request gen.DeleteBudgetRequestObject) (gen.DeleteBudgetResponseObject, error) {
	if err := b.service.Delete(ctx, httpd.Caller(ctx).AccountID, request.BudgetID); err != nil {
		return nil, err
	}
	return gen.DeleteBudget204Response{}, nil
}

func toAPIBudget(b budget.Budget) gen.Budget {
	out := gen.Budget{
		ID: b.ID, Kind: gen.BudgetKind(b.Kind), Subject: b.Subject, Period: gen.BudgetPeriod(b.Period), AmountMicros: b.AmountMicros,
		HeldMicros: b.HeldMicros, SpentMicros: b.SpentMicros, RemainingMicros: b.RemainingMicros, CreatedAt: b.CreatedAt.UTC(),
	}
	if b.Period != budget.Total {
		out.PeriodStart = utc(&b.PeriodStart)
	}
	return out
}
