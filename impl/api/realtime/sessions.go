package realtime

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"parley/db"
	gen "parley/gen/realtime"
	"parley/impl/core/realtime"
	"parley/impl/httpd"
)

// secretLife is that of a secret whose request says nothing of it.
const secretLife = 10 * time.Minute

// answer is a success whose body is written as its shape has it.
type answer struct{ body object }

func (a answer) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	return json.NewEncoder(w).Encode(a.body)
}

// VisitCreateRealtimeSessionResponse writes a secret in the beta's shape.
func (a answer) VisitCreateRealtimeSessionResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitCreateRealtimeClientSecretResponse writes a secret in today's shape.
func (a answer) VisitCreateRealtimeClientSecretResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitListRealtimeSessionsResponse writes a page of sessions.
func (a answer) VisitListRealtimeSessionsResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitGetRealtimeSessionResponse writes a session.
func (a answer) VisitGetRealtimeSessionResponse(w http.ResponseWriter) error { return a.write(w) }

// CreateRealtimeSession makes a secret in the beta's shape.
func (a API) CreateRealtimeSession(ctx context.Context, _ gen.CreateRealtimeSessionRequestObject) (gen.CreateRealtimeSessionResponseObject, error) {
	settings, err := beta.apply(realtime.Settings{}, httpd.Body(ctx), "")
	if err != nil {
		return nil, err
	}
	secret, err := a.service.NewSecret(ctx, httpd.Caller(ctx), settings, secretLife)
	if err != nil {
		return nil, err
	}
	body := beta.session(secret.View)
	body["client_secret"] = object{"value": secret.Text, "expires_at": secret.Ends.Unix()}
	return answer{body}, nil
}

// CreateRealtimeClientSecret makes a secret in today's shape.
func (a API) CreateRealtimeClientSecret(ctx context.Context, request gen.CreateRealtimeClientSecretRequestObject) (gen.CreateRealtimeClientSecretResponseObject, error) {
	var body struct {
		Session json.RawMessage `json:"session"`
	}
	if err := decode(httpd.Body(ctx), &body, "", false); err != nil {
		return nil, err
	}
	var settings realtime.Settings
	if isGiven(body.Session) {
		var err error
		if settings, err = today.apply(settings, body.Session, "session"); err != nil {
			return nil, err
		}
	}
	life := secretLife
	if after := request.Body.ExpiresAfter; after != nil && after.Seconds != nil {
		life = time.Duration(*after.Seconds) * time.Second
	}
	secret, err := a.service.NewSecret(ctx, httpd.Caller(ctx), settings, life)
	if err != nil {
		return nil, err
	}
	return answer{object{"value": secret.Text, "expires_at": secret.Ends.Unix(), "session": today.session(secret.View)}}, nil
}

// sessionsPage is how many sessions a page holds unless the request says otherwise.
const sessionsPage = 20

// ListRealtimeSessions lists stored sessions.
func (a API) ListRealtimeSessions(ctx context.Context, request gen.ListRealtimeSessionsRequestObject) (gen.ListRealtimeSessionsResponseObject, error) {
	limit, after := sessionsPage, ""
	if request.Params.Limit != nil {
		limit = int(*request.Params.Limit)
	}
	if request.Params.After != nil {
		after = *request.Params.After
	}
	rows, err := a.service.List(ctx, httpd.Caller(ctx), after, limit+1)
	if err != nil {
		return nil, err
	}
	data := []object{}
	for _, c := range rows[:min(limit, len(rows))] {
		data = append(data, stored(c))
	}
	return answer{object{"object": "list", "data": data, "has_more": len(rows) > limit}}, nil
}

func stored(c db.Conversation) object {
	return object{
		"id": c.ID, "object": "realtime.stored_session", "model": *c.ModelID, "created_at": c.CreatedAt.Unix(), "last_active_at": c.LastMessageAt.Unix(),
		"preview": c.Preview, "input_tokens": c.InputTokens, "output_tokens": c.OutputTokens,
	}
}

// GetRealtimeSession reads a stored session.
func (a API) GetRealtimeSession(ctx context.Context, request gen.GetRealtimeSessionRequestObject) (gen.GetRealtimeSessionResponseObject, error) {
	s, err := a.service.Get(ctx, httpd.Caller(ctx), request.SessionID)
	if err != nil {
		return nil, err
	}
	body := stored(s.Conversation)
	body["items"] = s.Items
	return answer{body}, nil
}

// DeleteRealtimeSession deletes a stored session.
func (a API) DeleteRealtimeSession(ctx context.Context, request gen.DeleteRealtimeSessionRequestObject) (gen.DeleteRealtimeSessionResponseObject, error) {
	if err := a.service.Delete(ctx, httpd.Caller(ctx), request.SessionID); err != nil {
		return nil, err
	}
	return gen.DeleteRealtimeSession204Response{}, nil
}
