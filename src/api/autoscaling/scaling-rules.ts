/** How fast an autoscaler may move, where its behavior does not say. upstream: pkg/apis/autoscaling/v2/defaults.go. */
import type { HPAScalingRules, HorizontalPodAutoscalerBehavior } from '../facts/types.ts';

/** Up: at once, by 4 pods or 100 % in 15 seconds, whichever is more. */
const scaleUp = (): HPAScalingRules => ({
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
});

/** Down: by 100 % in 15 seconds; how long to wait is the controller's setting. */
const scaleDown = (): HPAScalingRules => ({ selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] });

const given = (rules: HPAScalingRules | undefined): HPAScalingRules =>
  Object.fromEntries(Object.entries(rules ?? {}).filter(([, value]) => value != null)) as HPAScalingRules;

/** Changes `behavior`. */
export function defaultBehavior(behavior: HorizontalPodAutoscalerBehavior): void {
  behavior.scaleUp = { ...scaleUp(), ...given(behavior.scaleUp) };
  behavior.scaleDown = { ...scaleDown(), ...given(behavior.scaleDown) };
}
