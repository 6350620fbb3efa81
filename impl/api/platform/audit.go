package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"parley/db"
	gen "parley/gen/platform"
	"parley/impl/core/audit"
	"parley/impl/core/fault"
	"parley/impl/core/key"
	"parley/impl/httpd"
)

type auditLog struct{ log *audit.Log }

// ListAuditEvents lists what administrators did, the newest first.
func (a auditLog) ListAuditEvents(ctx context.Context, request gen.ListAuditEventsRequestObject) (gen.ListAuditEventsResponseObject, error) {
	p, limit := request.Params, int(*request.Params.Limit)
	of, err := booksOf(httpd.Caller(ctx), value(p.Of))
	if err != nil {
		return nil, err
	}
	filter := db.AuditFilter{Action: value(p.Action), BeforeID: value(p.Cursor), Limit: limit + 1}
	if p.From != nil {
		filter.From = *p.From
	}
	if p.To != nil {
		filter.To = *p.To
	}
	rows, err := a.log.List(ctx, of, filter)
	if err != nil {
		return nil, err
	}
	var link *string
	if len(rows) > limit {
		rows = rows[:limit]
		link = httpd.NextPage(auditPath(p), rows[limit-1].ID, limit)
	}
	list := make(gen.AuditEventList, len(rows))
	for i, row := range rows {
		if list[i], err = toAPIAuditEvent(row); err != nil {
			return nil, err
		}
	}
	return gen.ListAuditEvents200JSONResponse{Body: list, Headers: gen.ListAuditEvents200ResponseHeaders{Link: link}}, nil
}

// auditPath is the list's address with what it was filtered by.
func auditPath(p gen.ListAuditEventsParams) string {
	query := url.Values{}
	for name, text := range map[string]*string{"of": p.Of, "action": p.Action} {
		if text != nil {
			query.Set(name, *text)
		}
	}
	for name, at := range map[string]*time.Time{"from": p.From, "to": p.To} {
		if at != nil {
			query.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	return "/api/v1/admin/audit-events?" + query.Encode()
}

// booksOf is the account whose books the caller asks for: their own, or as the
// operator another's or the server's. An operator who is no administrator has
// none of their own and means the server's.
func booksOf(c key.Caller, of string) (string, error) {
	admin, operator := c.May(key.ScopeAdmin+":read"), c.May(key.ScopeOperator+":read")
	switch {
	case admin && (of == "" || of == c.AccountID):
		return c.AccountID, nil
	case !operator:
		return "", fault.New(fault.Forbidden, "Only the server's operator reads the records of others.")
	case of == "" || of == "server":
		return audit.Server, nil
	}
	return of, nil
}

func toAPIAuditEvent(e db.AuditEvent) (gen.AuditEvent, error) {
	out := gen.AuditEvent{
		ID: e.ID, Action: e.Action, Target: e.Target, Actor: gen.AuditActor{Kind: gen.AuditActorKind(e.ActorKind), ID: given(e.ActorID)},
		Address: given(e.Address), RequestID: given(e.RequestID), CreatedAt: e.CreatedAt.UTC(),
	}
	if err := json.Unmarshal(e.Details, &out.Details); err != nil {
		return gen.AuditEvent{}, fmt.Errorf("audit event %s: %w", e.ID, err)
	}
	return out, nil
}

// given is nil for a text that is not there.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
