package projects

import (
	"context"
	"iter"
	"net/http"

	gen "parley/gen/projects"
	"parley/impl/core/knowledge"
	"parley/impl/core/project"
	"parley/impl/httpd"
)

type progresses struct{ service *project.Service }

// GetProjectProgress tells how far the reading of a project's content is, once or as a stream.
func (p progresses) GetProjectProgress(ctx context.Context, request gen.GetProjectProgressRequestObject) (gen.GetProjectProgressResponseObject, error) {
	accountID := httpd.Caller(ctx).AccountID
	if !httpd.WantsEvents(ctx) {
		state, err := p.service.Progress(ctx, accountID, request.ProjectID)
		if err != nil {
			return nil, err
		}
		return gen.GetProjectProgress200JSONResponse{Data: toAPIProjectProgress(state), Status: success}, nil
	}
	var after int64
	if request.Params.LastEventID != nil {
		after = *request.Params.LastEventID
	}
	steps, err := p.service.Follow(ctx, accountID, request.ProjectID, after)
	return progressStream(steps), err
}

// progressStream writes steps as server-sent events.
type progressStream iter.Seq2[project.Step, error]

// VisitGetProjectProgressResponse follows the reading to its end. A failure ends the connection
// without the last event, so that the client comes back.
func (p progressStream) VisitGetProjectProgressResponse(w http.ResponseWriter) error {
	s := httpd.NewEventStream(w, http.StatusOK)
	defer s.Close()
	for step, err := range p {
		if err != nil {
			return err
		}
		name := "progress"
		if step.Done {
			name = "done"
		}
		if s.Send(name, step.N, toAPIProjectProgress(step.Progress)) != nil {
			return nil // the client is gone
		}
	}
	return nil
}

func toAPIProjectProgress(p knowledge.Progress) gen.ProjectProgress {
	return gen.ProjectProgress{
		PagesFound: p.Found, PagesCrawled: p.Crawled, PagesIndexed: p.Indexed, PagesQueued: p.Queued, PagesFailed: p.Failed,
		PagesLimited: p.Limited, IsRunning: p.Running, IsChatActive: p.Ready,
	}
}
