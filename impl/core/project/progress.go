package project

import (
	"context"
	"fmt"
	"iter"
	"time"

	"parley/impl/core/knowledge"
)

// progressEvery is how often a project's progress is looked at for those who follow it.
const progressEvery = time.Second

// Progress tells how far the reading of a project's content is.
func (s *Service) Progress(ctx context.Context, accountID string, projectID int64) (knowledge.Progress, error) {
	p, err := s.Get(ctx, accountID, projectID)
	if err != nil {
		return knowledge.Progress{}, err
	}
	return s.Knowledge.Progress(ctx, accountID, p.CollectionID)
}

// Step is a state of progress. Its number stands for the state, on every server.
type Step struct {
	N    int64
	Done bool // nothing is being read any more
	knowledge.Progress
}

// Follow yields the steps of a project's progress until nothing is being read,
// ctx ends or the server shuts down. The state with the number after, which the follower knows, is passed
// over; the last step never is.
func (s *Service) Follow(ctx context.Context, accountID string, projectID, after int64) (iter.Seq2[Step, error], error) {
	p, err := s.Get(ctx, accountID, projectID)
	if err != nil {
		return nil, err
	}
	return func(yield func(Step, error) bool) {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for s.Stopping == nil || !s.Stopping() {
			state, err := s.Knowledge.Progress(ctx, accountID, p.CollectionID)
			step := Step{N: Number(fmt.Sprint(state)), Done: !state.Running, Progress: state}
			if err != nil {
				yield(step, err)
				return
			}
			if (step.N != after || step.Done) && !yield(step, nil) || step.Done {
				return
			}
			after = step.N
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}, nil
}
