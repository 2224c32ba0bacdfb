/**
 * One field that did not validate, as the ControlError every service throws for it. The sentence names the
 * field too, because published clients show nothing but the message.
 */
import { ControlError, type ControlErrorCode } from './errors.ts';

/** `path` is spelled as in the native API: `auth.headers.X-Key`, `hosts[0]`. */
export function fieldError(
  path: string,
  message: string,
  code: ControlErrorCode = 'bad_request',
): ControlError {
  return new ControlError(code, { message: `${path}: ${message}`, details: [{ path, message }] });
}
