// Package turns implements what is the same for the answers of all surfaces:
// their state, resuming their streams, stopping them. A stream is written by
// the surface that began the turn (turn.Encoder), so a resumed one has the
// bytes of the first.
package turns

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"

	"parley/db"
	gen "parley/gen/turns"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/core/money"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

// API implements the generated server.
type API struct{ engine *turn.Engine }

var _ gen.StrictServerInterface = API{}

// New returns the surface.
func New(engine *turn.Engine) httpd.Surface {
	return httpd.Surface{Name: "turns", Fault: httpd.Problem, Mount: API{engine: engine}.mount}
}

func (a API) mount(r chi.Router, fail func(http.ResponseWriter, *http.Request, error)) {
	strict := gen.NewStrictHandlerWithOptions(a, nil, gen.StrictHTTPServerOptions{
		RequestErrorHandlerFunc: httpd.BadRequest(fail), ResponseErrorHandlerFunc: fail,
	})
	gen.HandlerWithOptions(strict, gen.ChiServerOptions{BaseRouter: r, ErrorHandlerFunc: httpd.BadRequest(fail)})
}

// find returns a turn that the caller may read or write: of its account and a
// surface within its scopes, for a publishable key those of its end user alone.
// Any other is the same NotFound fault.
func (a API) find(ctx context.Context, turnID, verb string) (db.Turn, error) {
	caller := httpd.Caller(ctx)
	t, err := a.engine.Find(ctx, caller.AccountID, turnID)
	if err == nil && (!reaches(caller, t) || !caller.May(t.Surface+":"+verb)) {
		return db.Turn{}, fault.New(fault.NotFound, "Turn not found")
	}
	return t, err
}

// reaches tells whether a turn is the caller's to see. A turn without a
// conversation may name an end user whom nobody checked.
func reaches(c key.Caller, t db.Turn) bool {
	if c.Kind != key.Publishable {
		return true
	}
	return t.AppID == c.AppID && t.ConversationID != nil && c.Reaches(*t.ConversationID, t.EndUser)
}

// GetTurn returns the state and usage of a turn.
func (a API) GetTurn(ctx context.Context, request gen.GetTurnRequestObject) (gen.GetTurnResponseObject, error) {
	t, err := a.find(ctx, request.TurnID, "read")
	if err != nil {
		return nil, err
	}
	return gen.GetTurn200JSONResponse(toAPITurn(t)), nil
}

// CancelTurn stops a running turn.
func (a API) CancelTurn(ctx context.Context, request gen.CancelTurnRequestObject) (gen.CancelTurnResponseObject, error) {
	t, err := a.find(ctx, request.TurnID, "write")
	if err != nil {
		return nil, err
	}
	if t, err = a.engine.Cancel(ctx, t.AccountID, t.ID); err != nil {
		return nil, err
	}
	return gen.CancelTurn200JSONResponse(toAPITurn(t)), nil
}

// StreamTurnEvents writes the turn's stream beyond the caller's cursor.
func (a API) StreamTurnEvents(ctx context.Context, request gen.StreamTurnEventsRequestObject) (gen.StreamTurnEventsResponseObject, error) {
	t, err := a.find(ctx, request.TurnID, "read")
	if err != nil {
		return nil, err
	}
	var after int64
	if request.Params.After != nil {
		after = *request.Params.After
	} else if request.Params.LastEventID != nil {
		after = *request.Params.LastEventID
	}
	frames, err := a.engine.Frames(ctx, t, after)
	if err != nil {
		return nil, err
	}
	return visit(func(w http.ResponseWriter) error { return httpd.WriteFrames(w, http.StatusOK, t.ID, frames) }), nil
}

// visit is a response that writes itself.
type visit func(http.ResponseWriter) error

// VisitStreamTurnEventsResponse writes the stream.
func (v visit) VisitStreamTurnEventsResponse(w http.ResponseWriter) error { return v(w) }

func toAPITurn(t db.Turn) gen.Turn {
	out := gen.Turn{
		ID: t.ID, Surface: t.Surface, Status: gen.TurnStatus(t.State), ConversationID: t.ConversationID, Model: t.ModelID,
		Usage: gen.TurnUsage{
			InputTokens: t.InputTokens, OutputTokens: t.OutputTokens, TotalTokens: t.InputTokens + t.OutputTokens,
			Estimated: t.Estimated, Cost: money.Decimal(t.CostMicros),
		},
		Error: t.Failure, CreatedAt: t.CreatedAt.UTC(),
	}
	if t.EndedAt != nil {
		ended := t.EndedAt.UTC()
		out.EndedAt = &ended
	}
	return out
}
