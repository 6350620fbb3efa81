package platform

import (
	"context"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/account"
	"parley/impl/httpd"
)

type plans struct{ service *account.Service }

// ListPlans lists the plans by name.
func (p plans) ListPlans(ctx context.Context, request gen.ListPlansRequestObject) (gen.ListPlansResponseObject, error) {
	limit := int(*request.Params.Limit)
	rows, err := p.service.Plans(ctx, value(request.Params.Cursor), limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/admin/plans", rows[limit-1].Name, limit)
	}
	list := make(gen.PlanList, len(rows))
	for i, row := range rows {
		list[i] = toAPIPlan(row)
	}
	return gen.ListPlans200JSONResponse{Body: list, Headers: gen.ListPlans200ResponseHeaders{Link: link}}, nil
}

// GetPlan returns one plan.
func (p plans) GetPlan(ctx context.Context, request gen.GetPlanRequestObject) (gen.GetPlanResponseObject, error) {
	row, err := p.service.Plan(ctx, request.PlanName)
	if err != nil {
		return nil, err
	}
	return gen.GetPlan200JSONResponse(toAPIPlan(row)), nil
}

// PutPlan makes a plan or replaces what it says.
func (p plans) PutPlan(ctx context.Context, request gen.PutPlanRequestObject) (gen.PutPlanResponseObject, error) {
	row := db.Plan{
		Name: request.PlanName, RequestsPerMinute: fromAPICeiling(request.Body.RequestsPerMinute),
		ConcurrentStreams: fromAPICeiling(request.Body.ConcurrentStreams), TokensPerMinute: fromAPICeiling(request.Body.TokensPerMinute),
		StorageBytes: request.Body.StorageBytes,
	}
	made, err := p.service.PutPlan(ctx, row)
	if err != nil {
		return nil, err
	}
	if made {
		return gen.PutPlan201JSONResponse{
			Body: toAPIPlan(row), Headers: gen.PutPlan201ResponseHeaders{Location: "/api/v1/admin/plans/" + row.Name},
		}, nil
	}
	return gen.PutPlan200JSONResponse(toAPIPlan(row)), nil
}

// DeletePlan deletes a plan that nobody has.
func (p plans) DeletePlan(ctx context.Context, request gen.DeletePlanRequestObject) (gen.DeletePlanResponseObject, error) {
	if err := p.service.DeletePlan(ctx, request.PlanName); err != nil {
		return nil, err
	}
	return gen.DeletePlan204Response{}, nil
}

func toAPIPlan(p db.Plan) gen.Plan {
	return gen.Plan{
		Name: p.Name, RequestsPerMinute: toAPICeiling(p.RequestsPerMinute),
		ConcurrentStreams: toAPICeiling(p.ConcurrentStreams), TokensPerMinute: toAPICeiling(p.TokensPerMinute),
		StorageBytes: p.StorageBytes,
	}
}

// fromAPICeiling is nil where a plan has no ceiling.
func fromAPICeiling(n *int32) *int {
	if n == nil {
		return nil
	}
	ceiling := int(*n)
	return &ceiling
}

func toAPICeiling(n *int) *int32 {
	if n == nil {
		return nil
	}
	ceiling := int32(*n) //nolint:gosec // the table bounds it
	return &ceiling
}
