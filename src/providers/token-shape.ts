/**
 * What a provider's keys look like, so that a placeholder of the same shape passes the checks of its SDKs.
 */
import { mintText } from '../kernel/ids.ts';

type TokenAlphabet = 'alnum' | 'base64url';

export interface TokenShape {
  readonly prefix: string;
  /** Characters after the prefix. */
  readonly length: number;
  readonly alphabet: TokenAlphabet;
}

const ALNUM = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const ALPHABETS: Readonly<Record<TokenAlphabet, string>> = {
  alnum: ALNUM,
  base64url: `${ALNUM}-_`,
};

/** For auth that no provider describes. */
export const CUSTOM_SHAPE: TokenShape = { prefix: 'sallyport_', length: 43, alphabet: 'base64url' };

/**
 * A new placeholder. It opens nothing; it is random so that no sandbox can name another's, and so that it
 * does not occur by chance.
 */
export function mintPlaceholder(shape: TokenShape): string {
  return shape.prefix + mintText(shape.length, ALPHABETS[shape.alphabet]);
}

/** As `GET /providers` shows it. */
export function describeShape(shape: TokenShape): string {
  return `${shape.prefix}...`;
}
