package node

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"talos-node/release"
)

type (
	applyRequest  = machine.ApplyConfigurationRequest
	applyResponse = machine.ApplyConfigurationResponse
)

const (
	modeReboot   = machine.ApplyConfigurationRequest_REBOOT
	modeAuto     = machine.ApplyConfigurationRequest_AUTO
	modeNoReboot = machine.ApplyConfigurationRequest_NO_REBOOT
	modeStaged   = machine.ApplyConfigurationRequest_STAGED
	modeTry      = machine.ApplyConfigurationRequest_TRY
)

// Texts of Talos that more than one place says.
const (
	BusyText = "another apply configuration is already in progress"

	needV1Alpha1Text = "the applied machine configuration doesn't contain v1alpha1 config, " +
		"did you mean to patch the machine config instead?"
	rebootingText = "configuration was already applied and node is rebooting, " +
		"cannot apply more configuration changes until next reboot"
	noRebootModeText = "the REBOOT mode is not supported, please use AUTO or NO_REBOOT modes instead"
)

// Apply is ApplyConfiguration on a machine that has a configuration. From 1.13 on it looks at the role itself, and late.
func (m *Machine) Apply(ctx context.Context, in *applyRequest, admin bool) (*applyResponse, error) {
	if release.ApplyMutex {
		if !m.BusyMu.TryLock() {
			return nil, status.Error(codes.FailedPrecondition, BusyText)
		}
		defer m.BusyMu.Unlock()
	}

	m.mu.Lock()
	defer m.mu.Unlock()

	if release.ApplyMutex && !release.NeverReboots && m.rebootedBy {
		return nil, status.Error(codes.FailedPrecondition, rebootingText)
	}

	if !admin {
		return nil, status.Error(codes.PermissionDenied, "not authorized")
	}

	// Up to 1.13 even an apply that is refused below leaves a tried configuration without its timer.
	if in.Mode != modeTry && !release.LateCancel {
		m.stopRollback()
	}

	cfg, warnings, err := m.check(ctx, in)
	if err != nil {
		return nil, err
	}

	details, reason, err := m.decideMode(in, cfg)
	if err != nil {
		return nil, err
	}

	if in.DryRun {
		return m.dryRun(in, cfg, details)
	}

	if in.Mode != modeTry {
		m.stopRollback()
	}

	m.logs.kernel("[talos] apply config request: mode %s", strings.ToLower(in.Mode.String()))

	details += m.carryOut(in, cfg)

	return &applyResponse{Messages: []*machine.ApplyConfiguration{{
		Mode: in.Mode, Warnings: warnings, ModeDetails: details + reason,
	}}}, nil
}

// check parses and validates, in the order of this minor.
func (m *Machine) check(ctx context.Context, in *applyRequest) (config.Provider, []string, error) {
	cfg, err := configloader.NewFromBytes(in.GetData())
	if err != nil {
		return nil, nil, status.Error(codes.InvalidArgument, err.Error())
	}

	if release.NeedsV1Alpha1 && cfg.RawV1Alpha1() == nil {
		return nil, nil, status.Error(codes.InvalidArgument, needV1Alpha1Text)
	}

	if release.NeverReboots && in.Mode == modeReboot {
		return nil, nil, status.Error(codes.Unimplemented, noRebootModeText)
	}

	warnings, err := release.ValidateOnNode(ctx, cfg, m.state)
	if err != nil {
		return nil, nil, status.Error(codes.InvalidArgument, err.Error())
	}

	return cfg, warnings, nil
}

// decideMode turns AUTO into what it will be, and refuses what this minor cannot do without a reboot.
func (m *Machine) decideMode(in *applyRequest, cfg config.Provider) (details, reason string, err error) {
	const (
		live   = "Applied configuration without a reboot"
		staged = "Staged configuration to be applied after the next reboot"
		reboot = "Applied configuration with a reboot"
	)

	switch in.Mode {
	case modeTry, modeNoReboot:
		if !release.NeverReboots {
			if err := m.canApplyImmediate(cfg); err != nil {
				return "", "", status.Error(codes.InvalidArgument, err.Error())
			}
		}

		return live, "", nil
	case modeStaged:
		return staged, "", nil
	case modeAuto:
		if !release.NeverReboots {
			if err := m.canApplyImmediate(cfg); err != nil {
				in.Mode = modeReboot

				return reboot, ": " + err.Error(), nil
			}
		}

		in.Mode = modeNoReboot

		return live, "", nil
	case modeReboot:
		return reboot, "", nil
	}

	wrong := fmt.Errorf("incorrect mode '%s' specified for the apply config call", in.Mode.String())
	if release.NeverReboots {
		return "", "", status.Error(codes.InvalidArgument, wrong.Error())
	}

	return "", "", wrong
}

func (m *Machine) dryRun(in *applyRequest, cfg config.Provider, details string) (*applyResponse, error) {
	diff, err := release.Diff(m.active(), cfg)
	if err != nil {
		return nil, fmt.Errorf("failed to generate diff: %w", err)
	}

	if diff == "" {
		diff = "No changes."
	}

	return &applyResponse{Messages: []*machine.ApplyConfiguration{{
		Mode:        in.Mode,
		ModeDetails: fmt.Sprintf("Dry run summary:\n%s (skipped in dry-run).\nConfig diff:\n\n%s", details, diff),
	}}}, nil
}

// carryOut does what the mode says, and returns what the reply says more.
func (m *Machine) carryOut(in *applyRequest, cfg config.Provider) string {
	switch in.Mode {
	case modeTry:
		timeout := tryTimeout
		if in.TryModeTimeout != nil {
			timeout = in.TryModeTimeout.AsDuration()
		}

		m.armRollback(timeout)
		m.setConfig(activeID, cfg)
		m.reconcile()

		return fmt.Sprintf("\nThe config is applied in 'try' mode and will be automatically reverted back in %s", timeout)
	case modeNoReboot:
		m.setPersisted(cfg)
		m.setConfig(activeID, cfg)
		m.reconcile()
	case modeStaged:
		m.setPersisted(cfg)
	case modeReboot:
		m.setPersisted(cfg)
		m.rebootedBy = true
		m.askReboot()
	}

	return ""
}

// canApplyImmediate compares the v1alpha1 documents without the parts that controllers follow while the node runs.
func (m *Machine) canApplyImmediate(cfg config.Provider) error {
	running := m.active()
	if running == nil {
		return errors.New("no current config")
	}

	current := running.RawV1Alpha1()
	if current == nil {
		return errors.New("current config is not v1alpha1")
	}

	next := cfg.RawV1Alpha1()
	if next == nil {
		return errors.New("new config is not v1alpha1")
	}

	next = next.DeepCopy()
	next.ConfigDebug = current.ConfigDebug
	next.ClusterConfig = current.ClusterConfig
	ignoreLive(next.MachineConfig, current.MachineConfig)

	if reflect.DeepEqual(current, next) {
		return nil
	}

	diff, err := release.Diff(container.NewV1Alpha1(current), container.NewV1Alpha1(next))
	if err != nil {
		return fmt.Errorf("error calculating diff: %w", err)
	}

	return fmt.Errorf("this config change can't be applied in immediate mode\ndiff:\n%s", diff)
}

// liveFields and liveFeatures are the Go names, in Talos's types, of what no minor up to 1.13 reboots for. A name that
// a minor does not have is no field to ignore there.
var (
	liveFields = []string{
		"MachineCA", "MachineAcceptedCAs", "MachineTime", "MachineCertSANs", "MachineInstall", "MachineNetwork",
		"MachineSysfs", "MachineSysctls", "MachineLogging", "MachineControlPlane", "MachineKubelet", "MachineKernel",
		"MachineRegistries", "MachinePods", "MachineSeccompProfiles", "MachineNodeAnnotations", "MachineNodeLabels",
		"MachineNodeTaints",
	}
	liveFeatures = []string{"KubernetesTalosAPIAccessConfig", "KubePrismSupport", "HostDNSSupport"}
)

func ignoreLive(next, current *v1alpha1.MachineConfig) {
	if next == nil || current == nil {
		return
	}

	copyFields(next, current, liveFields)

	if next.MachineFeatures != nil && current.MachineFeatures != nil {
		copyFields(next.MachineFeatures, current.MachineFeatures, append(liveFeatures, release.LiveFeatures()...))
	}
}

func copyFields(next, current any, names []string) {
	to, from := reflect.ValueOf(next).Elem(), reflect.ValueOf(current).Elem()

	for _, name := range names {
		if field := to.FieldByName(name); field.IsValid() {
			field.Set(from.FieldByName(name))
		}
	}
}

// ApplyInMaintenance takes the first configuration of a machine.
func (m *Machine) ApplyInMaintenance(ctx context.Context, in *applyRequest) (*applyResponse, error) {
	if !release.MaintenanceIsAPID {
		switch in.Mode {
		case modeTry, modeReboot, modeAuto:
		default:
			return nil, status.Errorf(codes.Unimplemented, "apply configuration --mode='%s' is not supported in maintenance mode",
				strings.ReplaceAll(strings.ToLower(in.Mode.String()), "_", "-"))
		}
	}

	m.mu.Lock()
	defer m.mu.Unlock()

	cfg, err := configloader.NewFromBytes(in.GetData())
	if err != nil {
		if release.MaintenanceIsAPID {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}

		return nil, fmt.Errorf("failed to parse config: %w", err)
	}

	warnings, err := release.ValidateOnNode(ctx, cfg, m.state)
	if err != nil {
		if release.MaintenanceIsAPID {
			return nil, status.Error(codes.InvalidArgument, err.Error())
		}

		return nil, status.Errorf(codes.InvalidArgument, "configuration validation failed: %s", err)
	}

	reply := &machine.ApplyConfiguration{Warnings: warnings}

	if release.MaintenanceIsAPID {
		reply.Mode, reply.ModeDetails = modeNoReboot, "Applied configuration without a reboot"
	}

	if in.DryRun {
		reply.ModeDetails = "Dry run summary:\nNode is running in maintenance mode and does not have a config yet."

		return &applyResponse{Messages: []*machine.ApplyConfiguration{reply}}, nil
	}

	data, err := cfg.Bytes()
	if err != nil {
		return nil, err
	}

	m.persist(data)
	m.maintenance, m.leaveAfter = false, 0
	how := m.spec.Reboot
	m.pending = &how

	return &applyResponse{Messages: []*machine.ApplyConfiguration{reply}}, nil
}

// AskReboot is the Reboot call: the machine goes down when the call is over.
func (m *Machine) AskReboot() {
	m.mu.Lock()
	defer m.mu.Unlock()

	m.logs.kernel("[talos] reboot via API received")
	m.askReboot()
}
