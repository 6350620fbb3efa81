package characters

import (
	"context"
	"math"
	"strconv"
	"strings"

	"parley/db"
	gen "parley/gen/characters"
	"parley/impl/core/model"
	"parley/impl/httpd"
)

type models struct{ catalog *model.Catalog }

// ListModels lists the models of a type that the account may use, the default first.
func (m models) ListModels(ctx context.Context, request gen.ListModelsRequestObject) (gen.ListModelsResponseObject, error) {
	limit := int(*request.Params.Limit)
	rank, after := modelPosition(text(request.Params.Cursor))
	rows, err := m.catalog.List(ctx, httpd.Caller(ctx).AccountID, string(request.Params.Type), rank, after, limit+1)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage("/api/v1/models?type="+string(request.Params.Type), modelCursor(rows[limit-1]), limit)
	}
	return gen.ListModels200JSONResponse{Body: toAPIModels(rows), Headers: gen.ListModels200ResponseHeaders{Link: link}}, nil
}

func modelCursor(m db.Model) string { return strconv.Itoa(m.Rank) + ":" + m.ID }

// modelPosition reads a cursor; one that we did not make is before every model.
func modelPosition(cursor string) (rank int, id string) {
	first, id, _ := strings.Cut(cursor, ":")
	n, err := strconv.ParseInt(first, 10, 32)
	if err != nil {
		return math.MinInt32, ""
	}
	return int(n), id
}
