package node

import (
	"context"
	"fmt"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/protobuf/types/known/anypb"
)

// events are the machine's event stream of one boot: stages only, which is what a client waits for.
type events struct {
	list    []*machine.Event
	stage   string
	ready   bool
	changed chan struct{}
}

func (e *events) reset() {
	if e.changed != nil {
		close(e.changed)
	}

	*e = events{changed: make(chan struct{})}
}

func (e *events) status(spec *runtime.MachineStatusSpec) {
	if e.stage == spec.Stage.String() && e.ready == spec.Status.Ready {
		return
	}

	e.stage, e.ready = spec.Stage.String(), spec.Status.Ready

	message := &machine.MachineStatusEvent{
		Stage:  machine.MachineStatusEvent_MachineStage(spec.Stage),
		Status: &machine.MachineStatusEvent_MachineStatus{Ready: spec.Status.Ready},
	}

	for _, unmet := range spec.Status.UnmetConditions {
		message.Status.UnmetConditions = append(message.Status.UnmetConditions,
			&machine.MachineStatusEvent_MachineStatus_UnmetCondition{Name: unmet.Name, Reason: unmet.Reason})
	}

	data, err := anypb.New(message)
	must(err)

	data.TypeUrl = "talos/runtime/" + string(message.ProtoReflect().Descriptor().FullName())
	e.list = append(e.list, &machine.Event{Data: data, Id: fmt.Sprintf("%x-%d", time.Now().UnixNano(), len(e.list))})
	close(e.changed)
	e.changed = make(chan struct{})
}

// Events sends the last tail events (all when negative), then every new one, until the context or the boot ends.
func (m *Machine) Events(ctx context.Context, tail int, send func(*machine.Event) error) error {
	m.mu.Lock()
	next := len(m.events.list) - tail

	if tail < 0 || next < 0 {
		next = 0
	}

	boot := m.bootCtx
	m.mu.Unlock()

	for {
		m.mu.Lock()
		list, changed := m.events.list, m.events.changed
		m.mu.Unlock()

		for ; next < len(list); next++ {
			if err := send(list[next]); err != nil {
				return err
			}
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-boot.Done():
			return nil
		case <-changed:
		}
	}
}
